//! The worker's side of the queue.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::Bounds;
use crate::contract::job::{Envelope, Payload};
use crate::contract::prefix::JobResult;
use crate::runtime::clock::now_ms;
use crate::store::{Key, Life, StoreError};

/// One element of the queue's list: the JSON of an envelope, or whatever else was put there.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Element(Bytes);

impl Element {
    /// The element with these bytes.
    #[must_use]
    pub const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Element({} bytes)", self.0.len())
    }
}

/// A job that this worker holds.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its element of the queue.
    pub element: Element,
    /// The envelope in it.
    pub envelope: Envelope,
    /// The blocks.
    pub payload: Payload,
    /// How often a worker died while it held this job, or stopped it because it took too long. Above 0 it has to run alone in its
    /// process, so that it is clear which job is the cause.
    pub crashes: u32,
}

/// One entry of the store that a job's result consists of.
pub(super) type ResultEntry<'a> = (Key, Cow<'a, [u8]>);

impl Job {
    /// How long its result lives where its request's record has no provisional life.
    pub(super) const fn result_life(&self) -> Life {
        if self.payload.provisional {
            Life::Provisional
        } else {
            Life::Full
        }
    }

    /// The entries of its result: the forms first, so that whoever finds the compressed prefix finds them too.
    ///
    /// # Errors
    /// When it is larger than `bounds` allow.
    pub(super) fn result_entries<'a>(
        &self,
        result: &'a JobResult,
        bounds: &Bounds,
    ) -> Result<Vec<ResultEntry<'a>>, StoreError> {
        let compressed = serde_json::to_vec(&result.compressed)
            .map_err(|error| StoreError::other("finish a job", error))?;
        let forms = result.forms.iter();
        let mut entries: Vec<_> = forms
            .map(|form| (Key::Form(form.id), Cow::from(form.text.as_bytes())))
            .collect();
        entries.push((Key::Compressed(self.envelope.prefix), compressed.into()));
        bounds.check_result(entries.iter().map(|(_, value)| value.len()).sum())?;
        Ok(entries)
    }
}

/// A claimed element that was loaded.
#[derive(Debug, Clone)]
pub enum Loaded {
    /// A job to run.
    Job(Arc<Job>),
    /// An element that is no job, or whose payload is gone: to be moved to the dead-letter list.
    Unusable {
        /// The element.
        element: Element,
        /// What is wrong with it.
        reason: String,
    },
}

impl Loaded {
    /// Whether it is a job whose result would come too late to be worth its work; then that is logged.
    pub(super) fn is_too_late(&self) -> bool {
        let Self::Job(job) = self else { return false };
        let is_too_late = job.payload.is_too_late(now_ms());
        if is_too_late {
            tracing::info!(job.id = job.envelope.id, job.prefix = %job.envelope.prefix, "a job is not run: its result would come too late");
        }
        is_too_late
    }
}

/// The outcome of finishing a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// The job is done.
    Done,
    /// This worker did not hold it any more: it runs or ran elsewhere too. The result was written all the same.
    DoneAgain,
}

/// The outcome of scheduling a failed job again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// It runs again after this time.
    Later(Duration),
    /// It had no attempt left and went to the dead-letter list.
    DeadLettered,
    /// This worker did not hold it any more.
    NotHeld,
}

/// How many jobs a reap moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reaped {
    /// Jobs taken back from dead workers.
    pub reaped: u64,
    /// Jobs moved to the dead-letter list because they were held at too many worker deaths.
    pub dead_lettered: u64,
    /// Jobs whose next attempt was due.
    pub promoted: u64,
}

/// The worker's side of the queue, for one worker process.
///
/// What is claimed is held until it is finished, retried, released, moved to the dead-letter list, or given back by
/// [`Self::deregister`].
#[async_trait]
pub trait WorkQueue: Send + Sync + std::fmt::Debug {
    /// Registers this worker. Before that it must not claim: nobody takes back what an unregistered worker holds.
    ///
    /// # Errors
    /// When the queue can't be reached.
    async fn register(&self) -> Result<(), StoreError>;

    /// Waits for an element, at most [`super::Timing::claim_wait`]. A refresh is claimed where no other job waits; one that is pushed
    /// during the wait may be claimed by the next call only. One call at a time, and never drop its future half-way: an element that is
    /// just being moved would be found only after two heartbeats.
    ///
    /// # Errors
    /// When the queue can't be reached. What was on its way then is found later.
    async fn claim(&self) -> Result<Option<Element>, StoreError>;

    /// Loads the job of a claimed element, or says what is wrong with the element. `None` where there is nothing to do: another worker
    /// has the element by now, the job is done or would be done too late, or the queue is paused and has the element back. May be repeated after an error.
    ///
    /// # Errors
    /// When the queue can't be reached. The element is still held.
    async fn load(&self, element: &Element) -> Result<Option<Loaded>, StoreError>;

    /// Gives one element back to the front of the queue, also a refresh.
    ///
    /// # Errors
    /// When the queue can't be reached. The element is still held.
    async fn release(&self, element: &Element) -> Result<(), StoreError>;

    /// Makes a claim that waits return at once. A claim that is just about to wait may miss it: call again.
    async fn interrupt_claim(&self);

    /// Acknowledges a job and stores its result; after that this worker holds it no more. With `and_claim` the same step claims the next
    /// element, if one waits. May be repeated after an error.
    ///
    /// # Errors
    /// When queue or store can't be reached. The result may be written all the same, and an element claimed with it is found
    /// later.
    async fn finish(
        &self,
        job: &Job,
        result: &JobResult,
        and_claim: bool,
    ) -> Result<(Finished, Option<Element>), StoreError>;

    /// Schedules a job that failed for a transient reason for a later attempt.
    ///
    /// # Errors
    /// When the queue can't be reached.
    async fn retry(&self, job: &Job, reason: &str) -> Result<Retried, StoreError>;

    /// Gives a job that took too long back to the end of the queue, counted like one that was held at a worker's death: it runs alone
    /// next time. False if this worker did not hold it any more.
    ///
    /// # Errors
    /// When the queue can't be reached. The element is still held.
    async fn isolate(&self, job: &Job) -> Result<bool, StoreError>;

    /// Has the next heartbeats say why this worker is about to end, for a queue that has any.
    fn announce_end(&self, reason: &str);

    /// Moves an element that no further attempt can help to the dead list. The reason must hold nothing of the payload.
    ///
    /// # Errors
    /// When the queue can't be reached.
    async fn dead_letter(&self, element: &Element, reason: &str) -> Result<(), StoreError>;

    /// Sends a heartbeat. Returns how many elements were found that this worker holds although no claim returned them; the next claims
    /// return those.
    ///
    /// # Errors
    /// When the queue can't be reached.
    async fn heartbeat(&self) -> Result<usize, StoreError>;

    /// Moves what dead workers hold, and jobs whose next attempt is due, back to the queue.
    ///
    /// # Errors
    /// When the queue can't be reached.
    async fn reap(&self) -> Result<Reaped, StoreError>;

    /// Gives back what this worker still holds and removes its registration. Returns how many jobs went back.
    ///
    /// # Errors
    /// When the queue can't be reached. What it holds is then taken back as from a dead worker.
    async fn deregister(&self) -> Result<u64, StoreError>;
}
