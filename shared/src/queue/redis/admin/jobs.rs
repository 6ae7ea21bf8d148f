//! Lists the jobs that are not done.

use std::num::NonZeroU32;

use super::QueueAdmin;
use super::status::score_ms;
use crate::contract::job::Envelope;
use crate::queue::redis::scripts;
use crate::queue::{Content, JobList, JobState, ListedJob};
use crate::redis::Retry;
use crate::store::StoreError;

/// An element that is not done.
pub(super) struct Found {
    pub(super) state: JobState,
    pub(super) element: Vec<u8>,
}

/// All elements that are not done, up to a limit, at one moment.
pub(super) struct Snapshot {
    at: u64,
    pub(super) found: Vec<Found>,
    more: u64,
}

/// What the script returns.
type ListReply = (
    u64,
    u64,
    Vec<Vec<u8>>,
    Vec<Vec<u8>>,
    Vec<(Vec<u8>, f64)>,
    Vec<Vec<Vec<u8>>>,
);

impl QueueAdmin {
    /// The jobs that are not done, at most `limit` of each state.
    ///
    /// # Errors
    /// When the queue can't be reached.
    pub(super) async fn list_jobs(&self, limit: NonZeroU32) -> Result<JobList, StoreError> {
        let read = self.read(limit).await?;
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

    pub(super) async fn read(&self, limit: NonZeroU32) -> Result<Snapshot, StoreError> {
        let workers = self.workers().await?;
        let mut script = scripts::LIST.key(self.keys.jobs());
        script
            .key(self.keys.refresh_jobs())
            .key(self.keys.delayed())
            .arg(limit.get());
        for worker in &workers {
            script.key(self.keys.active(worker));
        }
        let reply = self
            .pool
            .query("list the queue's jobs", Retry::Once, &script);
        let (at, inactive_count, waiting, waiting_refresh, delayed, held): ListReply =
            reply.await?;
        let next_first = |elements: Vec<Vec<u8>>, state: JobState| {
            elements.into_iter().rev().map(move |element| Found {
                state: state.clone(),
                element,
            })
        };
        let waiting = next_first(waiting, JobState::Waiting)
            .chain(next_first(waiting_refresh, JobState::WaitingRefresh));
        let delayed = delayed.into_iter().map(|(element, due)| Found {
            state: JobState::Delayed {
                due_in_ms: score_ms(due).saturating_sub(at),
            },
            element,
        });
        let active_count: u64 = held.iter().map(|held| held.len() as u64).sum();
        let held = workers.into_iter().zip(held).flat_map(|(worker, held)| {
            held.into_iter().map(move |element| Found {
                state: JobState::Active {
                    worker: worker.clone(),
                },
                element,
            })
        });
        let held = held.take(usize::try_from(limit.get()).unwrap_or(usize::MAX));
        let found: Vec<Found> = waiting.chain(held).chain(delayed).collect();
        Ok(Snapshot {
            at,
            more: (inactive_count + active_count).saturating_sub(found.len() as u64),
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
