//! `headroom-proxy queue`: what `headroom-worker queue` is where Redis is set; else the same steps on the queue of the proxy that runs here,
//! which is asked for them.

use std::num::NonZeroU32;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use headroom_shared::queue::{
    DeadLetters, DroppedFrom, JobList, QueueStatus, ReplayOutcome, ReplayRefusal,
};
use headroom_shared::runtime::output::is_broken_pipe;
use headroom_worker::queue_command::{self, Action, QueueCommand, text};
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Builder;
use url::Url;

use crate::running::{self, shown};
use crate::settings::Settings;

/// Takes a step on the queue and prints its result. 0: done; 1: could not.
///
/// # Errors
/// When no proxy of this user answers, or it can't do it.
pub fn run(command: &QueueCommand, settings: &Settings) -> anyhow::Result<ExitCode> {
    let ended = match &settings.store.redis_url {
        Some(url) => queue_command::step(&settings.store, url, command),
        None => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { Proxy::find(settings)?.step(command).await })
        }
    };
    match ended {
        Err(error) if is_broken_pipe(error.as_ref()) => Ok(ExitCode::SUCCESS),
        ended => ended,
    }
}

/// The proxy that is asked.
struct Proxy {
    base: Url,
    token: Option<String>,
}

/// Its queue.
#[derive(Deserialize)]
struct Queue {
    status: QueueStatus,
    jobs: JobList,
    dead_letters: DeadLetters,
}

/// What a job was dropped from.
#[derive(Deserialize)]
struct Dropped {
    was: DroppedFrom,
}

/// Why something was not done.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl Proxy {
    /// The one that has the data folder open, or else the one where the settings listen.
    fn find(settings: &Settings) -> anyhow::Result<Self> {
        let folder = settings.limits.data_folder()?;
        let (base, token) = match running::published_with_token(&folder) {
            Some(found) => found,
            None => (settings.url()?, None),
        };
        Ok(Self { base, token })
    }

    async fn step(&self, command: &QueueCommand) -> anyhow::Result<ExitCode> {
        let is_json = command.json;
        match &command.action {
            Action::Status { watch: false } => {
                let status = self.read(NonZeroU32::MIN).await?.status;
                let place = shown(&self.base);
                queue_command::print(is_json, &status, || {
                    queue_command::status("embedded", place, &status)
                })?;
            }
            Action::List(limit) => {
                let list = self.read(limit.or_default(is_json)).await?.jobs;
                queue_command::print(is_json, &list, || text::jobs(&list))?;
            }
            Action::Dead(limit) => {
                let list = self.read(limit.or_default(is_json)).await?.dead_letters;
                queue_command::print(is_json, &list, || text::dead_letters(&list))?;
            }
            Action::Replay { id, .. } => return self.replay(id.as_deref(), is_json).await,
            Action::Drop { id } => {
                let Dropped { was } = self.change("drop", id).await??;
                let output = serde_json::json!({"dropped": id, "was": was});
                queue_command::print(is_json, &output, || text::dropped(id, was))?;
            }
            Action::Status { watch: true } => bail!(
                "the queue of a proxy without Redis is watched on its page: {}",
                self.base
            ),
            Action::Pause | Action::Resume => bail!(
                "the queue of a proxy without Redis can't be paused: its jobs end with the proxy"
            ),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Replays one dead letter, or all of them.
    async fn replay(&self, id: Option<&str>, is_json: bool) -> anyhow::Result<ExitCode> {
        let ids = match id {
            Some(id) => vec![id.to_owned()],
            None => {
                let dead = self.read(NonZeroU32::MAX).await?.dead_letters.dead;
                let oldest_first = dead.iter().rev();
                let ids = oldest_first.filter_map(|it| it.content.id().map(str::to_owned));
                ids.collect()
            }
        };
        let mut all = ReplayOutcome::default();
        for id in ids {
            match self.change::<ReplayOutcome>("replay", &id).await? {
                Ok(outcome) => all.replayed.extend(outcome.replayed),
                Err(error) => all.refused.push(ReplayRefusal {
                    id: Some(id),
                    reason: error.to_string(),
                }),
            }
        }
        queue_command::print(is_json, &all, || text::replayed(&all))?;
        Ok(ExitCode::from(u8::from(!all.refused.is_empty())))
    }

    /// Its state, and at most so many jobs of each state and dead letters.
    async fn read(&self, limit: NonZeroU32) -> anyhow::Result<Queue> {
        let path = format!("/dashboard/queue?limit={limit}");
        self.ask(Method::GET, &path, None).await?
    }

    /// Changes a job. The inner error says why the proxy does not do it.
    async fn change<T: DeserializeOwned>(
        &self,
        action: &str,
        id: &str,
    ) -> anyhow::Result<anyhow::Result<T>> {
        let Some(token) = &self.token else {
            bail!(
                "only the user of the proxy at {} may change its queue, by its data folder: set HEADROOM_DATA_DIR to that, or use the page \
                 with the address that the proxy printed when it started",
                self.base
            );
        };
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
        let path = format!("/dashboard/queue/{action}/{id}");
        self.ask(Method::POST, &path, Some(token)).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
    ) -> anyhow::Result<anyhow::Result<T>> {
        let asked = running::ask(&self.base, method, path, token).await;
        let (status, answer) = asked.with_context(|| {
            format!(
                "no proxy answers at {} (HEADROOM_DATA_DIR, HEADROOM_HOST, HEADROOM_PORT)",
                self.base
            )
        })?;
        if status == StatusCode::OK {
            return Ok(Ok(serde_json::from_slice(&answer)?));
        }
        let refused = serde_json::from_slice::<Refused>(&answer);
        let error = refused.map_or_else(|_| format!("status {status}"), |refused| refused.error);
        Ok(Err(anyhow::Error::msg(error)))
    }
}
