//! The job handler: what the pool runs for each job.

use std::sync::Arc;

use headroom_shared::contract::prefix::JobResult;
use headroom_shared::queue::Job;

/// Runs a job, on a thread of the pool. If it panics, that job alone fails.
pub type JobHandler = Arc<dyn Fn(&Job) -> Result<JobResult, Failure> + Send + Sync>;

/// Why a job failed. The text must hold nothing of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The same job may succeed later.
    Transient(String),
    /// No further attempt can help.
    Permanent(String),
}
