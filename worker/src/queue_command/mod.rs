//! `headroom-worker queue`: the operator's steps on the queue, printed for people or machines.
//!
//! | file | what |
//! |---|---|
//! | `arguments` | what can be asked for |
//! | here | does it, and gives the exit code |
//! | `text`, `units` | the answers as people read them |
//! | `watch` | one reading a second |
//! | `pace` | how fast the queue empties |
//! | `screen` | draws a text over the one before |
//!
//! Not here: what the steps do to the queue (that is `headroom_shared::queue::redis::admin`'s).

pub(crate) mod arguments;
mod drain_rate;
mod format;
mod screen;
mod text;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use headroom_shared::queue::redis::admin::{DropError, QueueAdmin, QueueStatus};
use headroom_shared::queue::redis::{UnmetRequirement, check_requirements, pool};
use headroom_shared::queue::{Bounds, Timing};
use headroom_shared::redis::RedisPool;
use headroom_shared::runtime::config::{RedisUrl, StoreSettings, fail};
use headroom_shared::runtime::shutdown;
use headroom_shared::store::StoreError;
use serde::Serialize;
use serde_json::json;

pub use self::arguments::{Action, Command, Limit, QueueCommand};
use self::drain_rate::DrainRate;
use crate::host;
use crate::settings::NoRedis;

/// Does one step and prints what came of it. 0: done; 1: could not; 2: no Redis is set.
#[must_use]
pub fn run(store: &StoreSettings, command: &QueueCommand) -> ExitCode {
    let Some(url) = &store.redis_url else {
        return NoRedis.report();
    };
    let ended = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let cli = || QueueCli::new(store, url, command.json);
            let ended = runtime.block_on(async { cli().take(&command.action).await });
            runtime.shutdown_background();
            ended
        });
    match ended {
        Ok(code) => code,
        Err(error) if is_reader_gone(&error) => ExitCode::SUCCESS,
        Err(error) => fail("headroom-worker", &error),
    }
}

/// Whether nobody reads any more what is printed, as behind `| head`.
fn is_reader_gone(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The operator, and how to speak with him.
struct QueueCli {
    pool: Arc<RedisPool>,
    admin: QueueAdmin,
    namespace: String,
    /// Where Redis is, without a password.
    redis: String,
    json: bool,
}

/// A reading of the queue's state as it is printed.
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

    async fn take(&self, step: &Action) -> anyhow::Result<ExitCode> {
        // One that is away or evicts may be looked into all the same.
        if let Err(
            unfit @ (UnmetRequirement::TooOld { .. } | UnmetRequirement::WrongTopology { .. }),
        ) = check_requirements(&self.pool).await
        {
            return Err(unfit.into());
        }
        match step {
            Action::Status { watch: false } => self.status().await?,
            Action::Status { watch: true } => tokio::select! {
                ended = self.watch() => ended?,
                () = shutdown::signal() => {}
            },
            Action::List(limit) => {
                let most = limit.or_default(self.json);
                let listed = self.reach(self.admin.list(most).await)?;
                self.print(&listed, || text::listed(&listed))?;
            }
            Action::Dead(limit) => {
                let most = limit.or_default(self.json);
                let buried = self.reach(self.admin.dead_letters(most).await)?;
                self.print(&buried, || text::buried(&buried))?;
            }
            Action::Replay { id: Some(id), .. } => return self.replay(id).await,
            Action::Replay { id: None, .. } => {
                let replayed = self.reach(self.admin.replay_all().await)?;
                self.print(&replayed, || text::replayed(&replayed))?;
            }
            Action::Drop { id } => {
                let from = match self.admin.drop_job(id).await {
                    Err(DropError::Store(error)) => self.reach(Err(error))?,
                    ended => ended?,
                };
                let shown = json!({"dropped": id, "was": from});
                self.print(&shown, || text::dropped(id, from))?;
            }
            Action::Pause => {
                let before = self.reach(self.admin.pause(&host::name()).await)?;
                let shown = json!({"paused": true, "was_paused": before.is_some()});
                self.print(&shown, || text::paused_now(before.as_ref()))?;
            }
            Action::Resume => {
                let before = self.reach(self.admin.resume().await)?;
                let shown = json!({"paused": false, "was_paused": before});
                self.print(&shown, || text::resumed(before))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn status(&self) -> anyhow::Result<()> {
        let status = self.reach(self.admin.status().await)?;
        let shown = self.shown(&status, None);
        self.print(&shown, || text::status(&shown))?;
        Ok(())
    }

    async fn replay(&self, id: &str) -> anyhow::Result<ExitCode> {
        let replayed = self.reach(self.admin.replay(id).await)?;
        let refused = replayed.refused.first();
        if let (false, Some(refused)) = (self.json, refused) {
            bail!("job {id:?} can't be replayed: {}", refused.reason);
        }
        self.print(&replayed, || text::replayed(&replayed))?;
        Ok(refused.map_or(ExitCode::SUCCESS, |_| ExitCode::FAILURE))
    }

    fn shown<'a>(&'a self, status: &'a QueueStatus, rate: Option<DrainRate>) -> StatusOutput<'a> {
        StatusOutput {
            namespace: &self.namespace,
            redis: &self.redis,
            status,
            pace,
        }
    }

    /// What Redis answered, or its error with the place where it should be.
    fn reach<T>(&self, answered: Result<T, StoreError>) -> anyhow::Result<T> {
        answered.with_context(|| self.place())
    }

    fn place(&self) -> String {
        format!(
            "Redis at {} (HEADROOM_REDIS_URL, or --redis-url)",
            self.redis
        )
    }

    /// Prints the one or the other.
    fn print(&self, json: &impl Serialize, text: impl FnOnce() -> String) -> io::Result<()> {
        let printed = if self.json {
            serde_json::to_string(json)? + "\n"
        } else {
            text()
        };
        let mut out = io::stdout().lock();
        out.write_all(printed.as_bytes())?;
        out.flush()
    }
}
