//! The engine: takes jobs from a queue and runs `threads` of them at once. What a job does is given to it.

use std::sync::Arc;
use std::time::Duration;

use headroom_shared::queue::{Timing, WorkQueue};
use headroom_shared::runtime::config::Threads as ThreadCount;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use crate::handler::{Failure, JobHandler};
use crate::metrics::Metrics;
use crate::retry::Backoff;
use crate::state::Shared;
use crate::status::Status;
use crate::threads::Threads;
use crate::{claim, heartbeat, reap};

/// How long a stop waits for what should be over at once.
const ACTOR_STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a stop waits for the queue to take back what is not done.
const DEREGISTER_TIMEOUT: Duration = Duration::from_secs(5);

/// The engine before it starts.
pub struct Pool {
    queue: Arc<dyn WorkQueue>,
    count: ThreadCount,
    work: JobHandler,
    timing: Timing,
    status: Arc<Status>,
    metrics: Metrics,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("queue", &self.queue)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// An engine that does `work` for the jobs of `queue`, `threads` at once.
    #[must_use]
    pub fn new(queue: Arc<dyn WorkQueue>, threads: ThreadCount, work: JobHandler) -> Self {
        Self {
            queue,
            count: threads,
            work,
            timing: Timing::default(),
            status: Arc::default(),
            metrics: Metrics::new(threads.get()),
        }
    }

    /// The same with other times.
    #[must_use]
    pub fn with_timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// Whether it is ready; may be asked while it runs.
    #[must_use]
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// What it counts; may be read while it runs.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Works until `stop`. Then it claims no more, lets running jobs finish for the grace, gives the rest back, and returns.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub async fn run(self, stop: CancellationToken) -> std::io::Result<()> {
        let shared = Arc::new(Shared {
            permits: Arc::new(Semaphore::new(self.count.get())),
            count: u32::try_from(self.count.get()).unwrap_or(1),
            isolation: Semaphore::new(1),
            threads: Threads::start(self.count.get(), &self.work)?,
            queue: self.queue,
            jobs: TaskTracker::new(),
            timing: self.timing,
            status: self.status,
            metrics: self.metrics,
            stop,
            grace_over: CancellationToken::new(),
        });
        if !register(&shared).await {
            return Ok(());
        }
        shared.status.started();
        let end = CancellationToken::new();
        let _ended_if_dropped = end.clone().drop_guard();
        let actors = TaskTracker::new();
        actors.spawn(heartbeat::run(Arc::clone(&shared), end.clone()));
        actors.spawn(reap::run(Arc::clone(&shared), end.clone()));
        let claims = TaskTracker::new();
        claims.spawn(claim::run(Arc::clone(&shared)));
        claims.close();
        actors.close();
        shared.stop.cancelled().await;
        shared.status.stopping();
        tracing::info!("stops: no more claims, running jobs may finish");
        end_claims(&shared, &claims).await;
        drain(&shared).await;
        end.cancel();
        let _ = tokio::time::timeout(ACTOR_STOP_TIMEOUT, actors.wait()).await;
        leave(&shared).await;
        Ok(())
    }
}

/// Makes this worker known; false if it was told to stop before that was possible.
async fn register(shared: &Shared) -> bool {
    let mut backoff = Backoff::new();
    loop {
        match shared.queue.register().await {
            Ok(()) => {
                shared.status.works("register");
                return true;
            }
            Err(error) => shared.status.failed("register", &error),
        }
        if !backoff.wait(&shared.stop).await {
            return false;
        }
    }
}

/// Wakes the claim that waits, and again if it was only about to wait. It is never dropped in the middle.
async fn end_claims(shared: &Shared, claims: &TaskTracker) {
    let waking = async {
        loop {
            shared.queue.interrupt().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = claims.wait() => {}
        () = waking => {}
        () = tokio::time::sleep(ACTOR_STOP_TIMEOUT) => {}
    }
}

async fn drain(shared: &Shared) {
    shared.jobs.close();
    let in_time = tokio::time::timeout(shared.timing.shutdown_grace, shared.jobs.wait()).await;
    if in_time.is_err() {
        tracing::warn!(
            jobs.running = shared.jobs.len(),
            "jobs outlast the grace and go back to the queue"
        );
        shared.grace_over.cancel();
        shared.jobs.wait().await;
    }
}

async fn leave(shared: &Shared) {
    match tokio::time::timeout(DEREGISTER_TIMEOUT, shared.queue.deregister()).await {
        Ok(Ok(jobs)) => tracing::info!(jobs.given_back = jobs, "stopped"),
        Ok(Err(error)) => {
            tracing::warn!(error.message = %error, "stopped without giving jobs back; another worker will take them");
        }
        Err(_) => {
            tracing::warn!(
                "stopped without giving jobs back in time; another worker will take them"
            );
        }
    }
}
