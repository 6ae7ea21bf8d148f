//! The job handler: what the pool runs for each job.

use std::sync::Arc;

use headroom_shared::compress::Deadline;
use headroom_shared::contract::prefix::JobResult;
use headroom_shared::queue::Job;

/// Runs a job, on a thread of the pool, until its deadline at most. If it panics, that job alone fails.
pub type JobHandler = Arc<dyn Fn(&Job, Deadline) -> Result<JobResult, Failure> + Send + Sync>;

/// What a worker does with jobs.
#[derive(Clone)]
pub struct Work {
    /// Runs them.
    pub handler: JobHandler,
    /// What identifies the model that it has.
    pub model: Option<String>,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work")
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl From<JobHandler> for Work {
    fn from(handler: JobHandler) -> Self {
        Self {
            handler,
            model: None,
        }
    }
}

/// Why a job failed. The text must hold nothing of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The same job may succeed later.
    Transient(String),
    /// Its deadline was over before it was done.
    OutOfTime,
    /// No further attempt can help.
    Permanent(String),
}
