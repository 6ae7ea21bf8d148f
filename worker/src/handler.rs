//! What the engine is given to do.

use std::sync::Arc;

use headroom_shared::contract::prefix::JobResult;
use headroom_shared::queue::Job;

/// What is done with a job, on a thread of its own. A panic in it is this job's failure alone.
pub type JobHandler = Arc<dyn Fn(&Job) -> Result<JobResult, Failure> + Send + Sync>;

/// Why a job's work made no result. The text must hold nothing of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The same job may succeed later.
    Transient(String),
    /// No further attempt can help.
    Permanent(String),
}
