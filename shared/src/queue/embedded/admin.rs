//! The operator's side of the embedded queue, and its dead letters.

use std::num::NonZeroU32;
use std::time::Instant;

use async_trait::async_trait;

use super::{EmbeddedQueue, QueuedJob, State};
use crate::queue::limits::ms;
use crate::queue::{
    AdminQueue, Bounds, Content, DeadLetter, DeadLetters, DropError, DroppedFrom, JobList,
    JobState, ListedJob, QueueStatus, ReplayOutcome, ReplayRefusal, WorkerInfo, WorkerStatus,
};
use crate::runtime::clock::now_ms;
use crate::store::StoreError;

/// The id of the one worker.
const WORKER: &str = "embedded";
/// Bytes that the payloads of dead letters may have together; older ones are deleted.
const MAX_DEAD_BYTES: usize = 32 << 20;

/// A job that no further attempt can help.
#[derive(Debug)]
pub(super) struct DeadJob {
    job: QueuedJob,
    reason: String,
    /// When it ended: milliseconds since 1970.
    at: u64,
}

impl State {
    /// Moves a job that is held by nobody any more to the dead letters, and deletes the oldest of these where there are too many.
    pub(super) fn dead_letter(&mut self, job: QueuedJob, reason: &str, bounds: &Bounds) {
        self.attempts.remove(&job.element);
        self.crashes.remove(&job.element);
        self.totals.dead += 1;
        self.dead.push_front(DeadJob {
            job,
            reason: reason.to_owned(),
            at: now_ms(),
        });
        self.dead.truncate(bounds.max_dead_letters as usize);
        let mut bytes = 0;
        let fits = |dead: &&DeadJob| {
            bytes += dead.job.payload.len();
            bytes <= MAX_DEAD_BYTES
        };
        // The newest one stays, however large it is.
        let kept = self.dead.iter().take_while(fits).count().max(1);
        self.dead.truncate(kept);
    }

    /// The jobs that are not done, at most `limit` of each state, in the order of [`JobList`].
    fn jobs(&self, limit: usize) -> impl Iterator<Item = (JobState, &QueuedJob)> {
        let now = Instant::now();
        let waiting = self.waiting.iter().map(|job| (JobState::Waiting, job));
        let refreshes = self.waiting_refresh.iter();
        let refreshes = refreshes.map(|job| (JobState::WaitingRefresh, job));
        let active = self.active.values().map(|job| {
            let worker = WORKER.to_owned();
            (JobState::Active { worker }, job)
        });
        let delayed = self.delayed.iter().map(move |(due, job)| {
            let due_in_ms = ms(due.saturating_duration_since(now));
            (JobState::Delayed { due_in_ms }, job)
        });
        let waiting = waiting.take(limit).chain(refreshes.take(limit));
        waiting.chain(active.take(limit)).chain(delayed.take(limit))
    }

    /// Deletes a job that is not running.
    fn remove(&mut self, id: &str) -> Option<DroppedFrom> {
        let is_it = |job: &QueuedJob| job.envelope.id == id;
        for waiting in [&mut self.waiting, &mut self.waiting_refresh] {
            if let Some(at) = waiting.iter().position(is_it) {
                waiting.remove(at);
                return Some(DroppedFrom::Waiting);
            }
        }
        if let Some(at) = self.delayed.iter().position(|(_, job)| is_it(job)) {
            self.delayed.swap_remove(at);
            return Some(DroppedFrom::Delayed);
        }
        let at = self.dead.iter().position(|dead| is_it(&dead.job))?;
        self.dead.remove(at);
        Some(DroppedFrom::Dead)
    }
}

impl QueuedJob {
    fn content(&self) -> Content {
        Content::Envelope(self.envelope.clone())
    }
}

#[async_trait]
impl AdminQueue for EmbeddedQueue {
    async fn status(&self) -> Result<QueueStatus, StoreError> {
        let (state, at) = (self.state(), now_ms());
        let next = state.waiting.front().or(state.waiting_refresh.front());
        Ok(QueueStatus {
            at,
            depth: state.depth(),
            oldest_ms: next.map(|job| at.saturating_sub(job.envelope.enqueued_ms)),
            queued_bytes: state.queued_bytes(),
            paused: None,
            totals: state.totals,
            workers: vec![WorkerStatus {
                id: WORKER.to_owned(),
                info: Some(WorkerInfo {
                    host: "this process".to_owned(),
                    pid: std::process::id(),
                    threads: usize::try_from(self.threads).unwrap_or(usize::MAX),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    started: self.started_ms,
                    model: self.has_model.then(|| "yes".to_owned()),
                    ending: None,
                }),
                heartbeat_ms: 0,
                alive: true,
                holds: state.active.len() as u64,
            }],
        })
    }

    async fn list(&self, limit: NonZeroU32) -> Result<JobList, StoreError> {
        let (state, now) = (self.state(), now_ms());
        let jobs = state.jobs(limit.get() as usize);
        let jobs: Vec<ListedJob> = jobs
            .map(|(job_state, job)| ListedJob {
                state: job_state,
                age_ms: Some(now.saturating_sub(job.envelope.enqueued_ms)),
                content: job.content(),
            })
            .collect();
        let more = state.depth().left().saturating_sub(jobs.len() as u64);
        Ok(JobList { jobs, more })
    }

    async fn dead_letters(&self, limit: NonZeroU32) -> Result<DeadLetters, StoreError> {
        let (state, now) = (self.state(), now_ms());
        let newest = state.dead.iter().take(limit.get() as usize);
        let dead: Vec<DeadLetter> = newest
            .map(|dead| DeadLetter {
                reason: dead.reason.clone(),
                worker: WORKER.to_owned(),
                at: dead.at,
                age_ms: now.saturating_sub(dead.at),
                content: dead.job.content(),
            })
            .collect();
        let more = (state.dead.len() - dead.len()) as u64;
        Ok(DeadLetters { dead, more })
    }

    async fn replay(&self, id: &str) -> Result<ReplayOutcome, StoreError> {
        let mut outcome = ReplayOutcome::default();
        let mut state = self.state();
        let is_it = |dead: &DeadJob| dead.job.envelope.id == id;
        if let Some(at) = state.dead.iter().position(is_it)
            && let Some(dead) = state.dead.remove(at)
        {
            state.waiting.push_back(dead.job);
            drop(state);
            self.arrived.notify_waiters();
            outcome.replayed.push(id.to_owned());
            return Ok(outcome);
        }
        let found = state
            .jobs(usize::MAX)
            .find(|(_, job)| job.envelope.id == id);
        outcome.refused.push(ReplayRefusal {
            id: Some(id.to_owned()),
            reason: found.map_or_else(
                || "no job has this id".to_owned(),
                |(state, _)| state.why_not_dead(),
            ),
        });
        Ok(outcome)
    }

    async fn drop_job(&self, id: &str) -> Result<DroppedFrom, DropError> {
        let mut state = self.state();
        if let Some(from) = state.remove(id) {
            return Ok(from);
        }
        let mut active = state.active.values();
        Err(if active.any(|job| job.envelope.id == id) {
            DropError::Active {
                id: id.to_owned(),
                worker: WORKER.to_owned(),
            }
        } else {
            DropError::Unknown(id.to_owned())
        })
    }
}
