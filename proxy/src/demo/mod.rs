//! The demo: a coding agent's session, played through a real proxy against a scripted provider, both on loopback.
//!
//! The session is made up by [`session`]; nothing of it leaves this machine, and the proxy's data are gone when it ends.

mod agent;
mod checks;
mod job;
mod provider;
mod session;
mod stage;
mod table;
mod tools;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use bytes::Bytes;

use self::job::Job;
use self::session::Session;
use self::stage::Stage;
use self::table::{Summary, Table, Turn};

/// Between two turns an agent runs its tool.
const TOOL_TIME: Duration = Duration::from_millis(100);
/// How long the job may take; it takes a fraction of a second.
const JOB_TIMEOUT: Duration = Duration::from_secs(60);
const JOB_POLL: Duration = Duration::from_millis(2);

/// Plays it, and prints a line a turn.
///
/// # Errors
/// When proxy and provider can't be started, or a turn did not go as the demo says it goes.
pub async fn play() -> anyhow::Result<()> {
    let played = tokio::select! {
        played = Box::pin(on_stage(Table::new(io::stdout()))) => played,
        () = headroom_shared::runtime::shutdown::signal() => Ok(()),
    };
    played.or_else(|error| {
        let reader_left = error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        if reader_left { Ok(()) } else { Err(error) }
    })
}

async fn on_stage(table: Table<impl Write>) -> anyhow::Result<()> {
    let data = tempfile::Builder::new()
        .prefix("headroom-demo-")
        .tempdir()?;
    let stage = Stage::set(data.path()).await?;
    let play = Play {
        session: Session::new(),
        stage: &stage,
        table,
        turns: Vec::new(),
        received: Bytes::new(),
    };
    let played = play.all().await;
    stage.clear().await?;
    played
}

/// The session as far as it has been played.
struct Play<'a, W> {
    session: Session,
    stage: &'a Stage,
    table: Table<W>,
    turns: Vec<Turn>,
    /// What the provider received in the last turn.
    received: Bytes,
}

impl<W: Write> Play<'_, W> {
    async fn all(mut self) -> anyhow::Result<()> {
        self.table.opening(&self.session)?;
        for number in 1..=self.session.turns() {
            self.turn(number).await?;
            if number == 1 {
                self.wait_for_job().await?;
            } else {
                tokio::time::sleep(TOOL_TIME).await;
            }
        }
        let Some(landed) = self.landed() else {
            bail!("no turn was sent with the compressed prefix");
        };
        let expanded = checks::expand(&self.session, &self.received)?;
        let summary = Summary { landed, expanded };
        self.table.summary(&self.turns, summary)?;
        Ok(())
    }

    async fn turn(&mut self, number: usize) -> anyhow::Result<()> {
        let body = self.session.body(number);
        let stage = self.stage;
        stage.provider.will_answer(self.session.answer(number));
        let direct = stage.agent.send(stage.provider.address, &body).await?;
        let answer = stage.agent.send(stage.proxy, &body).await?;
        let received = stage.provider.received();
        if number == 1 {
            checks::untouched(&answer.decision, &body, &received)?;
        }
        let seen = self.landed().is_some();
        if seen {
            checks::goes_on(number, &self.received, &received)?;
        }
        let job = stage.agent.job(stage.proxy).await?;
        self.turns.push(Turn {
            bytes_in: body.len(),
            bytes_sent: received.len(),
            decision: answer.decision,
            added: answer.first_byte.saturating_sub(direct.first_byte),
            job,
        });
        self.table.turn(number, &self.turns[number - 1])?;
        if !seen && job == Job::Landed {
            self.table.why_landed()?;
        }
        self.received = received;
        Ok(())
    }

    /// A person's pause, so that the next turn surely finds the compressed prefix.
    async fn wait_for_job(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            match self.stage.agent.job(self.stage.proxy).await? {
                Job::Done => break,
                Job::Failed => bail!("the worker gave the job up"),
                _ => ensure!(
                    began.elapsed() < JOB_TIMEOUT,
                    "the job was not done within {} s",
                    JOB_TIMEOUT.as_secs()
                ),
            }
            tokio::time::sleep(JOB_POLL).await;
        }
        self.table.job_done(began.elapsed())?;
        tokio::time::sleep(TOOL_TIME).await;
        Ok(())
    }

    /// The number of the turn in which the compressed prefix was used first.
    fn landed(&self) -> Option<usize> {
        let first = self.turns.iter().position(|turn| turn.job == Job::Landed)?;
        Some(first + 1)
    }
}
