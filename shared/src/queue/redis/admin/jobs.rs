//! The jobs that are not done.

use std::num::NonZeroU32;

use serde::Serialize;

use super::status::whole;
use super::{Content, QueueAdmin};
use crate::contract::job::Envelope;
use crate::queue::redis::scripts;
use crate::store::StoreError;

/// Jobs that are not done, in the order in which they will be: those that wait, the next to be claimed first, then those in
/// work, then the delayed ones, the next to be due first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobList {
    /// The jobs.
    pub jobs: Vec<ListedJob>,
    /// How many there are besides these.
    pub more: u64,
}

/// A job that is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedJob {
    /// Where it is.
    #[serde(flatten)]
    pub state: JobState,
    /// How long ago it was pushed, in milliseconds, where what stands there is a job.
    pub age_ms: Option<u64>,
    /// What stands there.
    #[serde(flatten)]
    pub content: Content,
}

/// Where a job is that is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum JobState {
    /// In the queue.
    Waiting,
    /// In work.
    Active {
        /// At this worker.
        worker: String,
    },
    /// Put off to a later attempt.
    Delayed {
        /// In how many milliseconds that is due.
        due_in_ms: u64,
    },
}

/// An element and where it stands.
pub(super) struct Found {
    pub(super) state: JobState,
    pub(super) element: Vec<u8>,
}

/// All that is not done, as far as it was asked for.
pub(super) struct Snapshot {
    at: u64,
    pub(super) found: Vec<Found>,
    more: u64,
}

/// What the script returns.
type ListReply = (
    u64,
    u64,
    u64,
    Vec<Vec<u8>>,
    Vec<(Vec<u8>, f64)>,
    Vec<Vec<Vec<u8>>>,
);

impl QueueAdmin {
    /// The jobs that are not done, at most `most` of each state.
    ///
    /// # Errors
    /// When the queue can't be reached.
    pub async fn list(&self, most: NonZeroU32) -> Result<JobList, StoreError> {
        let read = self.read(most).await?;
        let jobs = read.found.into_iter().map(|found| {
            let content = self.content(&found.element);
            let pushed = content.envelope().map(|envelope| envelope.enqueued_ms);
            ListedJob {
                state: found.state,
                age_ms: pushed.map(|pushed| read.at.saturating_sub(pushed)),
                content,
            }
        });
        Ok(JobList {
            jobs: jobs.collect(),
            more: read.more,
        })
    }

    pub(super) async fn read(&self, most: NonZeroU32) -> Result<Snapshot, StoreError> {
        let workers = self.workers().await?;
        let mut script = scripts::LIST.key(self.keys.jobs());
        script.key(self.keys.delayed()).arg(most.get());
        for worker in &workers {
            script.key(self.keys.active(worker));
        }
        let read = self.pool.run("list the queue's jobs", &script).await?;
        let (at, waiting, delayed, queued, put_off, held): ListReply = read;
        let queued = queued.into_iter().rev().map(|element| Found {
            state: JobState::Waiting,
            element,
        });
        let put_off = put_off.into_iter().map(|(element, due)| Found {
            state: JobState::Delayed {
                due_in_ms: whole(due).saturating_sub(at),
            },
            element,
        });
        let active: u64 = held.iter().map(|held| held.len() as u64).sum();
        let held = workers.into_iter().zip(held).flat_map(|(worker, held)| {
            held.into_iter().map(move |element| Found {
                state: JobState::Active {
                    worker: worker.clone(),
                },
                element,
            })
        });
        let held = held.take(usize::try_from(most.get()).unwrap_or(usize::MAX));
        let found: Vec<Found> = queued.chain(held).chain(put_off).collect();
        Ok(Snapshot {
            at,
            more: (waiting + active + delayed).saturating_sub(found.len() as u64),
            found,
        })
    }

    /// The job with this id, if it is not done.
    pub(super) async fn find(&self, id: &str) -> Result<Option<(Found, Envelope)>, StoreError> {
        let found = self.read(NonZeroU32::MAX).await?.found;
        Ok(found
            .into_iter()
            .find_map(|found| match self.content(&found.element) {
                Content::Envelope(envelope) if envelope.id == id => Some((found, envelope)),
                _ => None,
            }))
    }
}
