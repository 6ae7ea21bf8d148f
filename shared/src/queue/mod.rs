//! Where jobs live between the proxy that makes them and the worker that does them.
//!
//! A job runs **at least once**: a worker that dies or stalls loses its jobs to another, and a job that ran twice leaves the
//! same bytes as one that ran once. The queue is bounded, and what it drops it counts.

mod dead_letter;
mod element;
pub mod embedded;
mod limits;
pub mod redis;
mod work_queue;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::limits::{Bounds, Timing};
pub use self::work_queue::{Element, Finished, Job, Loaded, Reaped, Retried, WorkQueue};
use crate::contract::job::Envelope;
use crate::store::StoreError;

/// What became of a job that was offered to the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It waits in the queue.
    Queued,
    /// The same prefix waits already; its payload was replaced by this one.
    Coalesced,
    /// The queue is at its bound: the job was dropped and counted.
    DroppedFull,
}

/// How many jobs are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Depth {
    /// In the list, not claimed.
    pub waiting: u64,
    /// Claimed by some worker.
    pub active: u64,
    /// Put back for a later attempt.
    pub delayed: u64,
    /// Buried.
    pub dead: u64,
}

impl Depth {
    /// Each count with its name, as metrics label it.
    #[must_use]
    pub const fn by_state(self) -> [(&'static str, u64); 4] {
        [
            ("waiting", self.waiting),
            ("active", self.active),
            ("delayed", self.delayed),
            ("dead", self.dead),
        ]
    }
}

/// What has become of jobs since the deployment began, by the queue's own counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Totals {
    /// Jobs put into the queue.
    pub enqueued: u64,
    /// Offers that only replaced a waiting job's payload.
    pub coalesced: u64,
    /// Offers dropped at the bound.
    pub dropped_full: u64,
    /// Jobs done.
    pub done: u64,
    /// Results of a job that had been done already.
    pub done_again: u64,
    /// Attempts put off to later.
    pub retried: u64,
    /// Jobs taken back from a dead worker.
    pub reaped: u64,
    /// Jobs buried.
    pub dead: u64,
}

/// The producer's side of the queue, which the proxy holds.
#[async_trait]
pub trait JobQueue: Send + Sync + std::fmt::Debug {
    /// Offers a job to the queue, in one round trip. The payload is JSON of a [`Payload`](crate::contract::job::Payload), and is kept as it
    /// is until the job is taken up.
    ///
    /// # Errors
    /// When the queue can't be reached or its memory is full. The job may be there all the same.
    async fn enqueue(&self, envelope: &Envelope, payload: Bytes) -> Result<Enqueued, StoreError>;

    /// Whether a job need not even be made, because the queue is at its bound; then it is counted as dropped. A queue that is a
    /// round trip away is asked only where it dropped the last offer; where it can't be asked, the answer is false.
    async fn drop_if_full(&self) -> bool;

    /// How many jobs are where, and what has become of the others.
    ///
    /// # Errors
    /// When the queue can't be reached.
    async fn counts(&self) -> Result<(Depth, Totals), StoreError>;
}
