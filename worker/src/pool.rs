//! The worker pool: claims jobs from a queue and runs as many at once as it has threads. What a job does is its [`JobHandler`].

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use headroom_shared::queue::{Timing, WorkQueue};
use headroom_shared::runtime::config::Threads as ThreadCount;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use crate::handler::{Failure, JobHandler, Work};
use crate::metrics::Metrics;
use crate::state::State;
use crate::status::Status;
use crate::threads::Threads;
pub use crate::time_limit::StuckJob;
use crate::time_limit::{IfStuck, TimeLimit};
use crate::{claim, heartbeat, reap, retry};

/// How long a stop waits for tasks that should end at once.
const TASK_STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a stop waits until the queue has the jobs back that are not done.
const DEREGISTER_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a pool ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The system gave no threads.
    #[error("could not start the threads: {0}")]
    Threads(#[from] std::io::Error),
    /// A job's thread could not be stopped.
    #[error(transparent)]
    Stuck(#[from] StuckJob),
}

/// A worker pool that has not started yet.
pub struct Pool {
    queue: Arc<dyn WorkQueue>,
    count: ThreadCount,
    handler: JobHandler,
    timing: Timing,
    time_limit: TimeLimit,
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
    /// A pool that runs `handler` for the jobs of `queue`, `threads` at once.
    #[must_use]
    pub fn new(queue: Arc<dyn WorkQueue>, threads: ThreadCount, handler: JobHandler) -> Self {
        Self {
            queue,
            count: threads,
            handler,
            timing: Timing::default(),
            time_limit: TimeLimit::default(),
            status: Arc::default(),
            metrics: Metrics::new(threads.get()),
        }
    }

    /// The same with another timing.
    #[must_use]
    pub fn with_timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// The same with another limit on a job's time.
    #[must_use]
    pub fn with_job_timeout(mut self, timeout: Duration) -> Self {
        self.time_limit.timeout = timeout;
        self
    }

    /// The same, but a thread that can't be stopped is replaced by another one, and does not end the pool.
    #[must_use]
    pub fn replacing_stuck_threads(mut self) -> Self {
        self.time_limit.if_stuck = IfStuck::ReplaceThread;
        self
    }

    /// Its readiness, also while it runs.
    #[must_use]
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// Its metrics, also while it runs.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Runs until `stop`. Then it claims no more, lets running jobs finish for the grace, gives the rest back to the queue, and returns.
    ///
    /// # Errors
    /// When the system gives no threads, or when a job's thread can't be stopped: then it has ended in good order, but for that thread.
    pub async fn run(self, stop: CancellationToken) -> Result<(), PoolError> {
        let state = Arc::new(State {
            free_threads: Arc::new(Semaphore::new(self.count.get())),
            thread_count: u32::try_from(self.count.get()).unwrap_or(1),
            isolation: Semaphore::new(1),
            threads: Threads::start(self.count.get(), &self.handler)?,
            queue: self.queue,
            jobs: TaskTracker::new(),
            timing: self.timing,
            time_limit: self.time_limit,
            stuck: OnceLock::new(),
            status: self.status,
            metrics: self.metrics,
            stop: stop.child_token(),
            grace_over: CancellationToken::new(),
        });
        if !register(&state).await {
            return Ok(());
        }
        state.status.started();
        let end = CancellationToken::new();
        let _ended_if_dropped = end.clone().drop_guard();
        let tasks = TaskTracker::new();
        tasks.spawn(heartbeat::run(Arc::clone(&state), end.clone()));
        tasks.spawn(reap::run(Arc::clone(&state), end.clone()));
        let claims = TaskTracker::new();
        claims.spawn(claim::run(Arc::clone(&state)));
        claims.close();
        tasks.close();
        state.stop.cancelled().await;
        if state.stuck.get().is_none() {
            state.status.stopping();
            let (jobs, seconds) = (state.jobs.len(), state.timing.shutdown_grace.as_secs());
            tracing::info!("draining: {jobs} jobs, up to {seconds} s; again to end now");
        }
        end_claims(&state, &claims).await;
        if state.stuck.get().is_some() {
            // The other jobs have their own time limits.
            state.jobs.close();
            stop.run_until_cancelled(state.jobs.wait()).await;
        }
        drain(&state).await;
        end.cancel();
        let _ = tokio::time::timeout(TASK_STOP_TIMEOUT, tasks.wait()).await;
        deregister(&state).await;
        state
            .stuck
            .get()
            .cloned()
            .map_or(Ok(()), |stuck| Err(stuck.into()))
    }
}

/// Registers this worker; false if it is to stop before that was possible.
async fn register(state: &State) -> bool {
    let register = || state.queue.register();
    let registered = retry::retry(&state.status, "register", &state.stop, |_| true, register);
    registered.await.is_some()
}

/// Interrupts the claim that waits, again and again, because it may be only about to wait. Its future is never dropped half-way.
async fn end_claims(state: &State, claims: &TaskTracker) {
    let interrupt = async {
        loop {
            state.queue.interrupt_claim().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = claims.wait() => {}
        () = interrupt => {}
        () = tokio::time::sleep(TASK_STOP_TIMEOUT) => {}
    }
}

async fn drain(state: &State) {
    state.jobs.close();
    let in_time = tokio::time::timeout(state.timing.shutdown_grace, state.jobs.wait()).await;
    if in_time.is_err() {
        tracing::warn!(
            jobs.running = state.jobs.len(),
            "jobs outlast the grace and go back to the queue"
        );
        state.grace_over.cancel();
        state.jobs.wait().await;
    }
}

async fn deregister(state: &State) {
    match tokio::time::timeout(DEREGISTER_TIMEOUT, state.queue.deregister()).await {
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
