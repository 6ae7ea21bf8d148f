//! What the actors of one engine share while it runs.

use std::sync::Arc;

use headroom_shared::queue::{Timing, WorkQueue};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::Metrics;
use crate::status::Status;
use crate::threads::Threads;

/// What the actors share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) queue: Arc<dyn WorkQueue>,
    /// One for each thread that holds no element.
    pub(crate) permits: Arc<Semaphore>,
    /// As many.
    pub(crate) count: u32,
    /// Taken by the one job that runs alone, or waits for that.
    pub(crate) isolation: Semaphore,
    pub(crate) threads: Threads,
    /// The jobs that run.
    pub(crate) jobs: TaskTracker,
    pub(crate) timing: Timing,
    pub(crate) status: Arc<Status>,
    pub(crate) metrics: Metrics,
    /// No more claims.
    pub(crate) stop: CancellationToken,
    /// The grace for running jobs is over.
    pub(crate) grace_over: CancellationToken,
}
