//! Runs the client in the foreground: terminal, signals and exit code are the client's.

use std::io;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, waitpid};
use tokio::signal::unix::{self, SignalKind, signal};

use super::Invocation;

/// How the client ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// With this exit code.
    Code(i32),
    /// By the signal of this number.
    Signal(i32),
    /// It was not started.
    NotStarted(io::Error),
}

impl Ended {
    /// The code to exit with, as shells do.
    pub(super) fn code(&self) -> ExitCode {
        let code = match self {
            Self::Code(code) => *code,
            Self::Signal(number) => 128 + number,
            Self::NotStarted(error) if error.kind() == io::ErrorKind::NotFound => 127,
            Self::NotStarted(_) => 126,
        };
        u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
    }
}

/// The signals to this process, from the time on when it caught them.
#[derive(Debug)]
pub(super) struct Signals {
    /// A child process ended or stopped.
    child: unix::Signal,
    /// Keys at the terminal: they reach the client by itself, which does with them what it likes.
    interrupt: unix::Signal,
    quit: unix::Signal,
    /// What others send to this process in the client's place.
    terminate: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    /// Catches them from now on.
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            child: signal(SignalKind::child())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The number of the next signal that asks this process to end, while there is no client.
    pub(super) async fn end(&mut self) -> i32 {
        let ends = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.quit.recv() => SignalKind::quit(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hangup.recv() => SignalKind::hangup(),
        };
        ends.as_raw_value()
    }

    /// Waits for something that concerns the client: gives the signal to pass on to it, if it is one.
    async fn next(&mut self) -> Option<Signal> {
        tokio::select! {
            _ = self.child.recv() => None,
            _ = self.interrupt.recv() => None,
            _ = self.quit.recv() => None,
            _ = self.terminate.recv() => Some(Signal::TERM),
            _ = self.hangup.recv() => Some(Signal::HUP),
        }
    }
}

/// Runs the client to its end. Where it stops, as by Ctrl-Z, this process stops too, so that the shell takes the terminal back.
pub(super) async fn run(invocation: &Invocation, signals: &mut Signals) -> anyhow::Result<Ended> {
    let [program, args @ ..] = invocation.words.as_slice() else {
        anyhow::bail!("nothing to run");
    };
    let mut command = Command::new(program);
    command.args(args);
    command.envs(invocation.env.iter().map(|(name, value)| (name, value)));
    let client = match command.spawn() {
        Ok(client) => Pid::from_child(&client),
        Err(error) => return Ok(Ended::NotStarted(error)),
    };
    loop {
        while let Some(status) = changed(client)? {
            if let Some(code) = status.exit_status() {
                return Ok(Ended::Code(code));
            }
            if let Some(number) = status.terminating_signal() {
                return Ok(Ended::Signal(number));
            }
            if status.stopped() {
                kill_process(getpid(), Signal::STOP)?;
                // From here on this process goes on again, and so may the client.
                kill_process(client, Signal::CONT)?;
            }
        }
        if let Some(signal) = signals.next().await {
            kill_process(client, signal).context("passing a signal on to the client")?;
        }
    }
}

/// What became of the client since this was asked last, if anything.
fn changed(client: Pid) -> io::Result<Option<WaitStatus>> {
    let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
    Ok(waitpid(Some(client), options)?.map(|(_, status)| status))
}
