//! The worker: pops jobs from the queue, compresses prefixes, writes them back.
//!
//! | module | what |
//! |---|---|
//! | [`settings`] | what can be set |
//! | [`pool`] | the engine, which knows no business: starts and stops the actors below |
//! | `work`, `state` | what it is given to do, and what its actors share |
//! | `claim` | the one loop that takes jobs, each for a free thread |
//! | `threads` | the threads that run jobs, one job each |
//! | `settle` | what becomes of what was claimed: its job, and how that ends |
//! | `alone` | room for a job that may be what killed a worker |
//! | `heartbeat`, `reap` | says that this worker lives; takes back what dead ones held |
//! | [`program`] | the program around it all: log, signals, exit code |
//! | [`process`] | the business: from a payload to a compressed prefix |
//! | [`queue_command`] | `headroom-worker queue`: the operator's steps on the queue |
//! | `start` | waits for Redis and refuses an unfit one |
//! | [`status`], [`metrics`], `http` | what operators see |
//!
//! Not here: how the queue does its steps (that is `headroom_shared::queue`'s), and anything about requests.

mod claim;
mod handler;
mod heartbeat;
mod host;
mod http;
mod isolation;
pub mod metrics;
pub mod panics;
pub mod pool;
pub mod process;
pub mod program;
pub mod queue_command;
mod reap;
mod retry;
mod run_job;
pub mod settings;
mod start;
mod state;
pub mod status;
mod threads;

use std::sync::Arc;

use headroom_shared::queue::redis::{self, RedisJobQueue, RedisWorkQueue, WorkerInfo};
use headroom_shared::queue::{Bounds, Timing};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::handler::JobHandler;
use self::pool::Pool;
pub use self::settings::Settings;

/// Does `work` for the jobs of a Redis until `shutdown`, then stops in good order.
///
/// # Errors
/// When a setting is missing, the port is taken, or Redis refuses this worker or is unfit. A Redis that is away is waited for.
pub async fn run(
    settings: Settings,
    work: JobHandler,
    timing: Timing,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let url = settings.redis_url()?;
    settings.log();
    let threads = settings.worker.threads;
    let keys = settings.store.keys();
    let bounds = Bounds::new(settings.store.retention());
    let connections = redis::pool(&url, &keys);
    let info = WorkerInfo {
        host: host::name(),
        pid: std::process::id(),
        threads: threads.get(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: headroom_shared::runtime::clock::now_ms(),
    };
    let queue = RedisWorkQueue::new(
        Arc::clone(&connections),
        keys.clone(),
        &info,
        bounds.clone(),
        timing.clone(),
    );
    tracing::info!(worker.id = queue.id(), "this worker's id");
    let pool = Pool::new(Arc::new(queue), threads, work).with_timing(timing);

    let background = TaskTracker::new();
    let listening = CancellationToken::new();
    let _stop_listening = listening.clone().drop_guard();
    if let Some(port) = settings.port {
        let counts = RedisJobQueue::new(Arc::clone(&connections), keys, 0, bounds);
        let seen = http::Seen::new(pool.status(), pool.metrics(), Arc::new(counts));
        let listener = http::bind(&settings.host, port).await?;
        background.spawn(http::serve(listener, seen, listening));
    }
    if start::redis_is_up(&connections, &pool.status(), &shutdown).await? {
        pool.run(shutdown).await?;
    }
    Ok(())
}
