//! `headroom-worker queue`: what an operator does with the queue, printed as text or JSON.
//!
//! | file | what |
//! |---|---|
//! | `arguments` | the subcommands and their flags |
//! | here | runs one, prints its result, and gives the exit code |
//! | `text`, `format` | the results as text |
//! | `watch` | `status --watch`: the status every second |
//! | `drain_rate` | jobs done per second, and the time until the queue is empty |
//! | `screen` | draws a text over the one before |
//!
//! Not here: what the commands do to the queue (`headroom_shared::queue::redis::admin`).

pub(crate) mod arguments;
mod drain_rate;
mod format;
mod screen;
pub mod text;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use headroom_shared::queue::redis::admin::QueueAdmin;
use headroom_shared::queue::redis::{UnmetRequirement, check_requirements, pool};
use headroom_shared::queue::{AdminQueue as _, Bounds, DropError, QueueStatus, Timing};
use headroom_shared::redis::RedisPool;
use headroom_shared::runtime::config::{RedisUrl, StoreSettings, fail};
use headroom_shared::runtime::output::is_broken_pipe;
use headroom_shared::runtime::shutdown;
use headroom_shared::store::StoreError;
use serde::Serialize;
use serde_json::json;

pub use self::arguments::{Action, Command, Limit, QueueCommand};
use self::drain_rate::DrainRate;
use crate::host;
use crate::settings::NoRedis;

/// Runs a queue command and prints its result. 0: done; 1: could not; 2: no Redis is set.
#[must_use]
pub fn run(store: &StoreSettings, command: &QueueCommand) -> ExitCode {
    let Some(url) = &store.redis_url else {
        return NoRedis.report();
    };
    match step(store, url, command) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => fail("headroom-worker", &error),
    }
}

/// Takes a step on the queue in the Redis at this URL and prints its result.
///
/// # Errors
/// When it could not be taken, or the result not be printed.
pub fn step(
    store: &StoreSettings,
    url: &RedisUrl,
    command: &QueueCommand,
) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new()?;
    let cli = || QueueCli::new(store, url, command.json);
    let ended = runtime.block_on(async { cli().run(&command.action).await });
    runtime.shutdown_background();
    ended
}

/// The command's connection to the queue, and its output format.
struct QueueCli {
    pool: Arc<RedisPool>,
    admin: QueueAdmin,
    namespace: String,
    /// Where Redis is, without a password.
    redis: String,
    json: bool,
}

/// The output of `status`.
#[derive(Serialize)]
struct StatusOutput<'a> {
    namespace: &'a str,
    redis: &'a str,
    #[serde(flatten)]
    status: &'a QueueStatus,
    #[serde(flatten)]
    rate: Option<DrainRate>,
}

impl QueueCli {
    fn new(store: &StoreSettings, url: &RedisUrl, json: bool) -> Self {
        let keys = store.keys();
        let pool = pool(url, &keys);
        let bounds = Bounds::new(store.retention());
        Self {
            admin: QueueAdmin::new(Arc::clone(&pool), keys, bounds, Timing::default()),
            pool,
            namespace: store.namespace.clone(),
            redis: url.to_string(),
            json,
        }
    }

    async fn run(&self, action: &Action) -> anyhow::Result<ExitCode> {
        // A Redis that evicts keys is not refused here, and one that is away is reported by the action.
        if let Err(
            unmet @ (UnmetRequirement::TooOld { .. } | UnmetRequirement::WrongTopology { .. }),
        ) = check_requirements(&self.pool).await
        {
            return Err(unmet.into());
        }
        match action {
            Action::Status { watch: false } => self.status().await?,
            Action::Status { watch: true } => tokio::select! {
                ended = self.watch() => ended?,
                () = shutdown::signal() => {}
            },
            Action::List(limit) => {
                let limit = limit.or_default(self.json);
                let jobs = self.with_place(self.admin.list(limit).await)?;
                self.print(&jobs, || text::jobs(&jobs))?;
            }
            Action::Dead(limit) => {
                let limit = limit.or_default(self.json);
                let dead_letters = self.with_place(self.admin.dead_letters(limit).await)?;
                self.print(&dead_letters, || text::dead_letters(&dead_letters))?;
            }
            Action::Replay { id: Some(id), .. } => return self.replay(id).await,
            Action::Replay { id: None, .. } => return self.replay_all().await,
            Action::Drop { id } => {
                let from = match self.admin.drop_job(id).await {
                    Err(DropError::Store(error)) => self.with_place(Err(error))?,
                    ended => ended?,
                };
                let output = json!({"dropped": id, "was": from});
                self.print(&output, || text::dropped(id, from))?;
            }
            Action::Pause => {
                let before = self.with_place(self.admin.pause(&host::name()).await)?;
                let output = json!({"paused": true, "was_paused": before.is_some()});
                self.print(&output, || text::paused(before.as_ref()))?;
            }
            Action::Resume => {
                let before = self.with_place(self.admin.resume().await)?;
                let output = json!({"paused": false, "was_paused": before});
                self.print(&output, || text::resumed(before))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn status(&self) -> anyhow::Result<()> {
        let status = self.with_place(self.admin.status().await)?;
        let output = self.status_output(&status, None);
        self.print(&output, || text::status(&output))?;
        Ok(())
    }

    async fn replay(&self, id: &str) -> anyhow::Result<ExitCode> {
        let replayed = self.with_place(self.admin.replay(id).await)?;
        let refused = replayed.refused.first();
        if let (false, Some(refused)) = (self.json, refused) {
            bail!("job {id:?} can't be replayed: {}", refused.reason);
        }
        self.print(&replayed, || text::replayed(&replayed))?;
        Ok(refused.map_or(ExitCode::SUCCESS, |_| ExitCode::FAILURE))
    }

    async fn replay_all(&self) -> anyhow::Result<ExitCode> {
        let outcome = self.with_place(self.admin.replay_all().await)?;
        self.print(&outcome, || text::replayed(&outcome))?;
        let refused = outcome.refused.len();
        if refused == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        if self.json {
            return Ok(ExitCode::FAILURE);
        }
        let all = refused + outcome.replayed.len();
        bail!(
            "{refused} of {all} buried jobs can't be replayed: each is named above with the reason"
        )
    }

    fn status_output<'a>(
        &'a self,
        status: &'a QueueStatus,
        rate: Option<DrainRate>,
    ) -> StatusOutput<'a> {
        StatusOutput {
            namespace: &self.namespace,
            redis: &self.redis,
            status,
            rate,
        }
    }

    /// A result whose error also says where Redis should be.
    fn with_place<T>(&self, result: Result<T, StoreError>) -> anyhow::Result<T> {
        result.with_context(|| self.place())
    }

    fn place(&self) -> String {
        format!(
            "Redis at {} (HEADROOM_REDIS_URL, or --redis-url)",
            self.redis
        )
    }

    fn print(&self, json: &impl Serialize, text: impl FnOnce() -> String) -> io::Result<()> {
        print(self.json, json, text)
    }
}

/// Prints a result as JSON if that `is_json`, otherwise the text.
///
/// # Errors
/// When it can't be printed.
pub fn print(
    is_json: bool,
    json: &impl Serialize,
    text: impl FnOnce() -> String,
) -> io::Result<()> {
    let printed = if is_json {
        serde_json::to_string(json)? + "\n"
    } else {
        text()
    };
    let mut out = io::stdout().lock();
    out.write_all(printed.as_bytes())?;
    out.flush()
}

/// The state of a queue as text: `namespace` is what it is called, `place` where it is.
#[must_use]
pub fn status(namespace: &str, place: &str, status: &QueueStatus) -> String {
    text::status(&StatusOutput {
        namespace,
        redis: place,
        status,
        rate: None,
    })
}
