//! The project's two programs as child processes, set up by environment variables alone.

mod launch;

use std::fs::File;
use std::future::ready;
use std::io::Read as _;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use tempfile::NamedTempFile;

pub use self::launch::Launch;
use self::launch::Program;
use crate::http::Call;
use crate::wait;

/// A program that runs. It is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: NamedTempFile,
    printed: NamedTempFile,
    launch: Launch,
}

impl Process {
    /// Host and port where it listens.
    #[must_use]
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.launch.port)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    ///
    /// # Panics
    /// When the log can't be read.
    #[must_use]
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// Waits until it has logged this text so many times at least, and gives what it logged so far: a program does not wait until what it logs
    /// is written.
    ///
    /// # Panics
    /// When it never does.
    pub async fn logged(&self, text: &str, times: usize) -> String {
        let log = wait::within(wait::DEADLINE, || {
            let log = self.log();
            ready((log.matches(text).count() >= times).then_some(log))
        });
        match log.await {
            Some(log) => log,
            None => panic!("has not logged {text:?} {times} times:\n{}", self.log()),
        }
    }

    /// Asks it to stop, and gives all that it logged.
    ///
    /// # Panics
    /// When it goes on, or does not end well.
    pub async fn whole_log(&mut self) -> String {
        let ended = self.terminate(wait::DEADLINE).await;
        assert!(ended.success(), "{ended}: {}", self.log());
        self.log()
    }

    /// What it printed so far on its standard output.
    ///
    /// # Panics
    /// When that can't be read.
    #[must_use]
    pub fn printed(&self) -> String {
        read(&self.printed)
    }

    async fn wait_until_ready(&self) {
        let path = self.launch.ready;
        let answers = wait::within(wait::DEADLINE, || async {
            let answer = Call::get(path).try_send(&self.addr()).await.ok()?;
            (answer.status() == 200).then_some(())
        });
        assert!(
            answers.await.is_some(),
            "{} is not ready; its log:\n{}",
            self.launch.program,
            self.log()
        );
    }

    /// Sends it a signal, such as `TERM` or `STOP`.
    ///
    /// # Panics
    /// When the signal can't be sent.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Panics
    /// When it goes on longer than `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.signal("TERM");
        self.ended(limit).await
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it goes on longer than `limit`.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        match wait::within(limit, || ready(self.status())).await {
            Some(status) => status,
            None => panic!("{} goes on after {limit:?}", self.launch.program),
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        self.status().is_some()
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("its state is known")
    }

    /// Kills it where it stands.
    ///
    /// # Panics
    /// When it can't be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Starts it again, after it was ended, with the same settings and data.
    pub async fn start_again(&mut self) {
        *self = self.launch.start().await;
    }
}

/// A temporary file, and a handle by which a program writes to it.
fn file_to_write() -> (NamedTempFile, File) {
    let file = NamedTempFile::new().expect("a temporary file");
    let written = file.reopen().expect("the file opens twice");
    (file, written)
}

fn read(file: &NamedTempFile) -> String {
    let mut bytes = Vec::new();
    let mut file = File::open(file.path()).expect("the file is there");
    file.read_to_end(&mut bytes).expect("the file is readable");
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(4000);
            let tail = log.get(tail..).unwrap_or(&log);
            eprintln_log(&self.launch.program, tail);
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "what a program logged belongs to the failed test's output"
)]
fn eprintln_log(program: &Program, log: &str) {
    eprintln!("--- log of {program} ---\n{log}");
}

/// Interrupts a program that has started so many child processes at least, and sees that it ends with 1 and leaves none of them behind.
///
/// # Panics
/// When it does not.
pub async fn interrupt_leaves_nothing_behind(mut program: tokio::process::Child, started: usize) {
    let pid = program.id().expect("it runs");
    let children = wait::eventually("its child processes", || {
        let children = children(pid);
        ready((children.len() >= started).then_some(children))
    })
    .await;
    signal(pid, "INT");
    let status = wait::soon("its end", program.wait()).await;
    assert_eq!(status.expect("its status").code(), Some(1));
    let left: Vec<u32> = all().into_iter().map(|(pid, _)| pid).collect();
    assert!(children.iter().all(|child| !left.contains(child)));
}

/// Sends a signal to one process.
///
/// # Panics
/// When it can't be sent.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .expect("kill runs");
    assert!(status.success(), "SIG{name} to {pid}");
}

/// All processes of this machine, each with its parent.
///
/// # Panics
/// When `ps` does not run.
#[must_use]
pub fn all() -> Vec<(u32, u32)> {
    let listed = Command::new("ps")
        .args(["-A", "-o", "pid=,ppid="])
        .output()
        .expect("ps runs");
    let lines = String::from_utf8_lossy(&listed.stdout).into_owned();
    let read = |line: &str| {
        let (pid, parent) = line.trim().split_once(' ')?;
        Some((pid.parse().ok()?, parent.trim().parse().ok()?))
    };
    lines.lines().filter_map(read).collect()
}

/// The child processes of a process.
///
/// # Panics
/// When `ps` does not run.
#[must_use]
pub fn children(of: u32) -> Vec<u32> {
    let all = all().into_iter();
    let children = all.filter(|(_, parent)| *parent == of);
    children.map(|(pid, _)| pid).collect()
}
