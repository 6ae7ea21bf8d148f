//! What an operator sees of a queue and does with it: [`AdminQueue`] over Redis and embedded, and what its methods return.

use std::num::NonZeroU32;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Depth, Element, Totals, element};
use crate::contract::job::Envelope;
use crate::store::StoreError;

/// The operator's side of the queue.
#[async_trait]
pub trait AdminQueue: Send + Sync + std::fmt::Debug {
    /// Reads the queue's state.
    ///
    /// # Errors
    /// When the queue can't be reached.
    async fn status(&self) -> Result<QueueStatus, StoreError>;

    /// The jobs that are not done, at most `limit` of each state.
    ///
    /// # Errors
    /// When the queue can't be reached.
    async fn list(&self, limit: NonZeroU32) -> Result<JobList, StoreError>;

    /// Dead letters, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the queue can't be reached.
    async fn dead_letters(&self, limit: NonZeroU32) -> Result<DeadLetters, StoreError>;

    /// Moves the dead letter with this id back to the queue, where it waits as if it had just been pushed, with its attempts unused. The
    /// queue's bound does not hold for it: proxies drop their jobs until there is room again. A refresh waits among the other jobs.
    ///
    /// # Errors
    /// When the queue can't be reached.
    async fn replay(&self, id: &str) -> Result<ReplayOutcome, StoreError>;

    /// Deletes the job with this id from the queue or the dead-letter list, with its payload. A running job is not deleted. A proxy may push
    /// its prefix again.
    ///
    /// # Errors
    /// When there is no such job, it is running, or the queue can't be reached.
    async fn drop_job(&self, id: &str) -> Result<DroppedFrom, DropError>;
}

/// The queue's state at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// When: milliseconds since 1970 by the queue's clock.
    pub at: u64,
    /// How many jobs are in each state.
    #[serde(flatten)]
    pub depth: Depth,
    /// How long ago the job was pushed that is claimed next, in milliseconds; none where no job waits. A refresh is next where no other
    /// waits.
    pub oldest_ms: Option<u64>,
    /// Bytes of text in jobs that wait, are in work or delayed, which the queue's bound is for.
    pub queued_bytes: u64,
    /// The pause, if the queue is paused.
    pub paused: Option<Paused>,
    /// The queue's counters.
    pub totals: Totals,
    /// All registered workers, sorted by their ids.
    pub workers: Vec<WorkerStatus>,
}

/// A registered worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its id, as in the name of its active list.
    pub id: String,
    /// What it says of itself.
    #[serde(flatten)]
    pub info: Option<WorkerInfo>,
    /// The age of its last heartbeat, in milliseconds.
    pub heartbeat_ms: u64,
    /// Whether that is recent enough. If not, the worker counts as dead, and its jobs are taken back.
    pub alive: bool,
    /// How many jobs it holds.
    pub holds: u64,
}

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerInfo {
    /// Its machine or container.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// How many jobs it runs at once.
    pub threads: usize,
    /// Its program's version.
    pub version: String,
    /// When it started: milliseconds since 1970 by its own clock.
    pub started: u64,
    /// What identifies the model that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Why it is about to end by itself, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<String>,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// The machine where the operator paused the queue; unknown where the key was set by hand.
    pub by: Option<String>,
    /// How long it has been on, in milliseconds of Redis's clock; unknown likewise.
    pub since_ms: Option<u64>,
}

/// What an element of the queue holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// A job's envelope.
    Envelope(Envelope),
    /// Something else, which has no id: a worker moves it to the dead-letter list.
    Unreadable {
        /// What is wrong with it; never its text.
        unreadable: String,
    },
}

impl Content {
    /// What an element holds whose envelope has at most `max_bytes` bytes.
    pub(super) fn of(element: &[u8], max_bytes: usize) -> Self {
        let element = Element::new(element.to_vec().into());
        match element::parse(&element, max_bytes) {
            Ok(envelope) => Self::Envelope(envelope),
            Err(unreadable) => Self::Unreadable { unreadable },
        }
    }

    /// The job's id, where it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.envelope().map(|envelope| envelope.id.as_str())
    }

    /// The job's envelope, if it is one.
    #[must_use]
    pub const fn envelope(&self) -> Option<&Envelope> {
        match self {
            Self::Envelope(envelope) => Some(envelope),
            Self::Unreadable { .. } => None,
        }
    }
}

/// Jobs that are not done: the waiting ones, the next to be claimed first; then the waiting refreshes likewise; then the running ones; then
/// the delayed ones, the next to be due first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobList {
    /// The jobs.
    pub jobs: Vec<ListedJob>,
    /// How many more there are.
    pub more: u64,
}

/// A job that is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedJob {
    /// Its state.
    #[serde(flatten)]
    pub state: JobState,
    /// How long ago it was pushed, in milliseconds, where the element is a job.
    pub age_ms: Option<u64>,
    /// What its element holds.
    #[serde(flatten)]
    pub content: Content,
}

/// The state of a job that is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum JobState {
    /// It waits in the queue.
    Waiting,
    /// It waits in the queue until no other job does.
    WaitingRefresh,
    /// It runs.
    Active {
        /// The id of the worker that runs it.
        worker: String,
    },
    /// It failed, and waits for its next attempt.
    Delayed {
        /// In how many milliseconds that is due.
        due_in_ms: u64,
    },
}

impl JobState {
    /// Why a job in this state can't be replayed.
    pub(super) fn why_not_dead(&self) -> String {
        match self {
            Self::Waiting | Self::WaitingRefresh => {
                "it is not buried: it waits in the queue".to_owned()
            }
            Self::Active { worker } => format!("it is not buried: worker {worker} works on it"),
            Self::Delayed { .. } => {
                "it is not buried: it is delayed, and will be tried again by itself".to_owned()
            }
        }
    }
}

/// Dead letters, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetters {
    /// The entries.
    pub dead: Vec<DeadLetter>,
    /// How many more there are.
    pub more: u64,
}

/// A job in the dead-letter list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Why it is there.
    pub reason: String,
    /// The worker that moved it there, or that held it last.
    pub worker: String,
    /// When it was moved: milliseconds since 1970 by the queue's clock; 0 where the entry was written by hand.
    pub at: u64,
    /// How long ago that is, in milliseconds.
    pub age_ms: u64,
    /// The element that was moved.
    #[serde(flatten)]
    pub content: Content,
}

/// Which dead letters were replayed and which were not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReplayOutcome {
    /// Ids of the jobs that wait in the queue again, in the order in which they will be claimed.
    pub replayed: Vec<String>,
    /// Those that stay in the dead-letter list.
    pub refused: Vec<ReplayRefusal>,
}

/// A dead letter that can't be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayRefusal {
    /// Its id, where it has one.
    pub id: Option<String>,
    /// Why not.
    pub reason: String,
}

/// Where a deleted job was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DroppedFrom {
    /// Waiting in the queue.
    Waiting,
    /// Waiting for its next attempt.
    Delayed,
    /// In the dead-letter list.
    Dead,
}

/// Why a job was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DropError {
    /// There is no job with this id.
    #[error("no job has the id {0:?}: it is done, or never was")]
    Unknown(String),
    /// It is running.
    #[error("worker {worker} works on job {id}: it can be dropped when it is put off or buried")]
    Active {
        /// The job's id.
        id: String,
        /// The worker's id.
        worker: String,
    },
    /// It moved at each attempt to delete it.
    #[error("job {0} moved whenever it was to be dropped: try again")]
    Moves(String),
    /// The queue can't be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
}
