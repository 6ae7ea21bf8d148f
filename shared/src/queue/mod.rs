//! The job queue between the proxy, which pushes jobs, and the workers, which claim and run them.
//!
//! A job runs **at least once**: a worker that dies or stalls loses its jobs to another, and a job that ran twice writes the
//! same bytes as one that ran once. The queue is bounded; it counts the jobs that it drops.
//!
//! Jobs wait in two lists: *refreshes*, which compress anew a prefix that has grown, in one of their own, which is looked at when no other
//! job waits. What has been claimed once waits among the other jobs, whatever it is: a job that is given back, tried again, taken back from
//! a dead worker, or replayed. That is rare, and it has waited its turn already.
//!
//! A job that no further attempt can help goes to the *dead-letter list* with a reason. Logs, metrics and the command line call such a
//! job *buried*, and the list the *dead list*.
//!
//! | file | what |
//! |---|---|
//! | here | [`JobQueue`]: the producer's side |
//! | `work_queue` | [`WorkQueue`]: the worker's side |
//! | `admin` | [`AdminQueue`]: the operator's side |
//! | [`redis`], [`embedded`] | all sides over Redis, and in memory |
//! | `element`, `dead_letter` | the JSON of an element of the queue, and of the dead-letter list |
//! | `limits` | [`Bounds`] and [`Timing`] |

mod admin;
mod dead_letter;
mod element;
pub mod embedded;
mod limits;
pub mod redis;
mod work_queue;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::admin::{
    AdminQueue, Content, DeadLetter, DeadLetters, DropError, DroppedFrom, JobList, JobState,
    ListedJob, Paused, QueueStatus, ReplayOutcome, ReplayRefusal, WorkerInfo, WorkerStatus,
};
pub use self::limits::{Bounds, Timing};
pub use self::work_queue::{Element, Finished, Job, Loaded, Reaped, Retried, WorkQueue};
use crate::contract::job::Envelope;
use crate::store::StoreError;

/// The outcome of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// The job waits in the queue.
    Queued,
    /// A job of the same prefix waits already; its payload was replaced by this one.
    Coalesced,
    /// The queue is full: the job was dropped and counted.
    DroppedFull,
    /// The queue's memory is nearly full, and the job is large: it was dropped and counted.
    DroppedForMemory,
}

/// How many jobs are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Depth {
    /// Not claimed yet, without [`Self::waiting_refresh`].
    pub waiting: u64,
    /// Refreshes that have never been claimed: they are claimed when no other job waits.
    pub waiting_refresh: u64,
    /// Claimed by some worker.
    pub active: u64,
    /// Failed, and waiting for the next attempt.
    pub delayed: u64,
    /// In the dead-letter list.
    pub dead: u64,
}

impl Depth {
    /// Jobs that are neither done nor in the dead-letter list.
    #[must_use]
    pub const fn left(self) -> u64 {
        self.waiting + self.waiting_refresh + self.active + self.delayed
    }

    /// Each count with its name, as metrics label it.
    #[must_use]
    pub const fn by_state(self) -> [(&'static str, u64); 5] {
        [
            ("waiting", self.waiting),
            ("waiting_refresh", self.waiting_refresh),
            ("active", self.active),
            ("delayed", self.delayed),
            ("dead", self.dead),
        ]
    }
}

/// Counters of the queue since the deployment began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Totals {
    /// Jobs put into the queue.
    pub enqueued: u64,
    /// Pushes that only replaced a waiting job's payload.
    pub coalesced: u64,
    /// Jobs dropped because the queue was full.
    pub dropped_full: u64,
    /// Jobs done.
    pub done: u64,
    /// Results of jobs that had been done already.
    pub done_again: u64,
    /// Attempts that failed and were scheduled again.
    pub retried: u64,
    /// Jobs taken back from a dead worker.
    pub reaped: u64,
    /// Jobs moved to the dead-letter list.
    pub dead: u64,
}

/// What a job that is pushed now can count on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// The threads of all workers that are alive; none while the queue is paused.
    pub threads: u64,
    /// Bytes of text in the jobs that wait, are in work or delayed.
    pub queued_bytes: u64,
    /// Whether one of these workers has a model.
    pub has_model: bool,
}

/// The producer's side of the queue, which the proxy holds.
#[async_trait]
pub trait JobQueue: Send + Sync + std::fmt::Debug {
    /// Pushes a job, in one round trip. One whose envelope says that it is a refresh waits in a list of its own, which has the same bound,
    /// and is claimed when no other job waits. The payload is JSON of a [`Payload`](crate::contract::job::Payload), and is kept as it is
    /// until a worker loads the job.
    ///
    /// # Errors
    /// When the queue can't be reached or its memory is full. The job may be there all the same.
    async fn enqueue(&self, envelope: &Envelope, payload: Bytes) -> Result<Enqueued, StoreError>;

    /// Pushes several jobs in one round trip, and gives what became of each, in their order. A job whose prefix waits already leaves that one
    /// as it is: its payload must be the same.
    ///
    /// # Errors
    /// When the queue can't be reached or its memory is full. Some of the jobs may be there all the same.
    async fn enqueue_all(&self, jobs: &[(Envelope, Bytes)]) -> Result<Vec<Enqueued>, StoreError>;

    /// Deletes a job that was pushed, because its request was refused or waits for it no longer. If a worker runs it, its result is not stored.
    ///
    /// # Errors
    /// When the queue can't be reached. The job may be deleted all the same.
    async fn withdraw(&self, envelope: &Envelope) -> Result<(), StoreError>;

    /// Whether the list is full that a job, or a refresh, would wait in, so that it need not even be built; then it is counted as dropped.
    /// A queue behind a network is asked only where it dropped the last job for that list; where it can't be reached, this is false.
    async fn drop_if_full(&self, is_refresh: bool) -> bool;

    /// How many jobs are in each state, and the counters.
    ///
    /// # Errors
    /// When the queue can't be reached.
    async fn counts(&self) -> Result<(Depth, Totals), StoreError>;

    /// Which workers there are, and how much they have to do.
    ///
    /// # Errors
    /// When the queue can't be reached.
    async fn capacity(&self) -> Result<Capacity, StoreError>;
}
