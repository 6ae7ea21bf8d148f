//! The time limit of jobs, and what is done about a thread that does not keep to it.

use std::time::Duration;

/// How long a job may take, and what is done about a thread that can't be stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeLimit {
    pub(crate) timeout: Duration,
    pub(crate) if_stuck: IfStuck,
}

/// What is done about a thread that goes on long after its job's deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfStuck {
    /// The process ends when its other jobs are done.
    EndProcess,
    /// Another thread takes its place. For a process that does more than run jobs.
    ReplaceThread,
}

impl Default for TimeLimit {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(300),
            if_stuck: IfStuck::EndProcess,
        }
    }
}

/// A job whose thread can't be stopped.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "the thread of job {id} could not be stopped after {seconds} s: this process ends for that, so that another one takes its place"
)]
pub struct StuckJob {
    pub(crate) id: String,
    pub(crate) seconds: u64,
}
