//! What the tasks of a running pool share.

use std::sync::{Arc, OnceLock};

use headroom_shared::queue::{Timing, WorkQueue};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::Metrics;
use crate::status::Status;
use crate::threads::Threads;
use crate::time_limit::{StuckJob, TimeLimit};

/// What the tasks of a running pool share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) queue: Arc<dyn WorkQueue>,
    /// One permit for each thread that has no element to work on.
    pub(crate) free_threads: Arc<Semaphore>,
    /// How many threads there are.
    pub(crate) thread_count: u32,
    /// The one permit to run a job in isolation.
    pub(crate) isolation: Semaphore,
    pub(crate) threads: Threads,
    /// The running jobs.
    pub(crate) jobs: TaskTracker,
    pub(crate) timing: Timing,
    pub(crate) time_limit: TimeLimit,
    /// The first job whose thread can't be stopped, where the process has to end for that.
    pub(crate) stuck: OnceLock<StuckJob>,
    pub(crate) status: Arc<Status>,
    pub(crate) metrics: Metrics,
    /// The pool stops: no more claims.
    pub(crate) stop: CancellationToken,
    /// The grace for running jobs is over.
    pub(crate) grace_over: CancellationToken,
}
