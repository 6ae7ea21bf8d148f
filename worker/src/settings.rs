//! The worker's settings, from flags and environment variables.

use std::process::ExitCode;

use clap::{Arg, Parser};
use headroom_shared::runtime::config::{
    LogSettings, RedisUrl, StoreSettings, WorkerSettings, warn_of_unknown,
};
use headroom_shared::runtime::last_line;

use crate::queue_command::arguments::Command;

/// Pops compression jobs from Redis, compresses prefixes, and writes them back.
#[derive(Debug, Clone, Parser)]
#[command(name = "headroom-worker", version)]
#[command(mut_args(allow_after_subcommand))]
pub struct Settings {
    /// What to do instead of working.
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub store: StoreSettings,
    #[command(flatten)]
    pub worker: WorkerSettings,

    /// Address to listen on, if a port is set.
    #[arg(
        long,
        env = "HEADROOM_HOST",
        value_name = "HEADROOM_HOST",
        default_value = "127.0.0.1"
    )]
    pub host: String,

    /// Port of /livez, /readyz and /metrics. Unset: no listener.
    #[arg(
        long = "worker-port",
        env = "HEADROOM_WORKER_PORT",
        value_name = "HEADROOM_WORKER_PORT",
        value_parser = port
    )]
    pub port: Option<u16>,

    #[command(flatten)]
    pub log: LogSettings,
}

/// Lets those flags that subcommands need too stand before or after the subcommand.
fn allow_after_subcommand(arg: Arg) -> Arg {
    let needed = ["redis_url", "namespace", "retention_hours"];
    let is_needed = needed.contains(&arg.get_id().as_str());
    arg.global(is_needed)
}

/// A worker without a Redis has nothing to work on.
#[derive(Debug, thiserror::Error)]
#[error(
    "error: HEADROOM_REDIS_URL (or --redis-url) is not set: set it to the Redis of your proxies; a proxy without it compresses \
     by itself and needs no worker"
)]
pub struct NoRedis;

impl NoRedis {
    /// Prints the one line and gives the exit code of a bad setting.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        last_line::write(&self.to_string());
        ExitCode::from(2)
    }
}

impl Settings {
    /// Where Redis is.
    ///
    /// # Errors
    /// When that is not set.
    pub fn redis_url(&self) -> Result<RedisUrl, NoRedis> {
        self.store.redis_url.clone().ok_or(NoRedis)
    }

    pub(crate) fn log(&self) {
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            redis = self.store.redis_url.as_ref().map(tracing::field::display),
            namespace = self.store.namespace,
            retention_hours = self.store.retention_hours,
            threads = self.worker.threads.get(),
            job_timeout_seconds = self.worker.job_timeout_seconds,
            host = self.host,
            port = self.port,
            model.dir = self
                .worker
                .model
                .dir
                .as_ref()
                .map(|dir| tracing::field::display(dir.display())),
            model.threshold = self.worker.model.threshold,
            model.keep_rate = self.worker.model.keep_rate,
            log = self.log.filter,
            "headroom-worker starts"
        );
        warn_of_unknown();
        self.worker.warn();
    }
}

fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err("takes a port number, 1 to 65535".to_owned()),
    }
}
