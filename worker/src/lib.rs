//! The worker: claims jobs from the queue, compresses prefixes, and stores the results.
//!
//! | module | what |
//! |---|---|
//! | [`settings`] | settings from flags and variables |
//! | [`program`] | the program around it all: log, signals, exit code |
//! | `start` | waits for Redis, and refuses one that can't hold the queue |
//! | [`pool`] | the worker pool, which runs any job handler: starts and stops the tasks below |
//! | `handler`, `state` | the type of a job handler, and what the pool's tasks share |
//! | `claim` | the loop that claims jobs, each for a free thread |
//! | `run_job` | runs a claimed job, then acknowledges it, retries it later or moves it to the dead-letter list |
//! | `threads`, `panics` | the threads that run jobs, one job each, and how they report panics |
//! | `isolation` | lets a job that may have killed a worker, or took too long, run alone in its process |
//! | `time_limit`, `stuck_job` | how long a job may take; what becomes of one that takes longer, and of its thread |
//! | `queue_step` | steps on the queue, repeated while it is away |
//! | `heartbeat`, `reap` | sends heartbeats; takes back the jobs of dead workers |
//! | `retry` | repeats a step with growing delays while Redis is away |
//! | [`process`] | the job handler of the product: from a payload to a compressed prefix |
//! | `stale` | which old texts of a conversation a job shortens |
//! | [`shortener`] | the interface of what leaves words out of a text |
//! | `model`, [`load_model`] | the model that does, in a build with the feature `model`; loads it as the settings say |
//! | [`model_command`] | `headroom-worker model`: downloads a model |
//! | [`queue_command`] | `headroom-worker queue`: what an operator does with the queue |
//! | [`status`], [`metrics`], `http` | readiness, metrics, and the listener that serves both |
//!
//! Not here: the queue itself (`headroom_shared::queue`), and anything about requests.

mod claim;
mod handler;
mod heartbeat;
mod host;
mod http;
mod isolation;
pub mod load_model;
pub mod metrics;
#[cfg(feature = "model")]
pub mod model;
pub mod model_command;
pub mod panics;
pub mod pool;
pub mod process;
pub mod program;
pub mod queue_command;
mod queue_step;
mod reap;
mod retry;
mod run_job;
pub mod settings;
pub mod shortener;
mod stale;
mod start;
mod state;
pub mod status;
mod stuck_job;
mod threads;
mod time_limit;

use std::sync::Arc;

use headroom_shared::queue::redis::{self, RedisJobQueue, RedisWorkQueue};
use headroom_shared::queue::{Bounds, Timing, WorkerInfo};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::handler::Work;
use self::pool::Pool;
pub use self::settings::Settings;

/// Does this work for the jobs of a Redis until `shutdown`, then stops in good order.
///
/// # Errors
/// When a setting is missing, the port is taken, Redis refuses this worker or is unfit, or a job's thread can't be stopped. It waits for a
/// Redis that is away.
pub async fn run(
    settings: Settings,
    work: Work,
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
        model: work.model,
        ending: None,
    };
    let queue = RedisWorkQueue::new(
        Arc::clone(&connections),
        keys.clone(),
        &info,
        bounds.clone(),
        timing.clone(),
    );
    tracing::info!(worker.id = queue.id(), "this worker's id");
    let pool = Pool::new(Arc::new(queue), threads, work.handler)
        .with_timing(timing)
        .with_job_timeout(settings.worker.job_timeout());

    let tasks = TaskTracker::new();
    let listening = CancellationToken::new();
    let _stop_listening = listening.clone().drop_guard();
    if let Some(port) = settings.port {
        let counts = RedisJobQueue::new(Arc::clone(&connections), keys, 0, bounds);
        let namespace = settings.store.namespace.clone();
        let state = http::HttpState::new(
            (pool.status(), pool.metrics()),
            (Arc::new(counts), namespace),
        );
        let listener = http::bind(&settings.host, port).await?;
        tasks.spawn(http::serve(listener, state, listening));
    }
    if start::redis_is_up(&connections, &pool.status(), &shutdown).await? {
        pool.run(shutdown).await?;
    }
    Ok(())
}
