//! The queue in the memory of one process, for the proxy that runs its own worker threads. Waiting jobs are lost with
//! the process, which costs savings and never a request. So are the dead letters.

mod admin;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

use self::admin::DeadJob;
use super::element::loaded;
use super::work_queue::ResultEntry;
use super::{
    Bounds, Capacity, Depth, Element, Enqueued, Finished, Job, JobQueue, Loaded, Reaped, Retried,
    Timing, Totals, WorkQueue,
};
use crate::contract::job::Envelope;
use crate::contract::prefix::JobResult;
use crate::runtime::clock::now_ms;
use crate::store::{Entry, Key, Life, Store, StoreError};

/// All sides of the queue: [`JobQueue`], [`WorkQueue`] and [`AdminQueue`](super::AdminQueue). There is one worker, this process.
#[derive(Debug)]
pub struct EmbeddedQueue {
    store: Arc<dyn Store>,
    max_queue: u64,
    bounds: Bounds,
    timing: Timing,
    /// How many threads take its jobs.
    threads: u64,
    /// When it was made: milliseconds since 1970.
    started_ms: u64,
    /// Whether they have a model.
    has_model: bool,
    state: Mutex<State>,
    arrived: Notify,
}

/// A job whose payload is still JSON.
#[derive(Debug, Clone)]
struct QueuedJob {
    element: Element,
    envelope: Envelope,
    payload: Bytes,
    /// Whether nobody wants its result any more.
    withdrawn: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first.
    waiting: VecDeque<QueuedJob>,
    /// Refreshes that have never been claimed, oldest first: they are claimed when no other job waits.
    waiting_refresh: VecDeque<QueuedJob>,
    active: HashMap<Element, QueuedJob>,
    delayed: Vec<(Instant, QueuedJob)>,
    attempts: HashMap<Element, u32>,
    /// How often each job took too long.
    crashes: HashMap<Element, u32>,
    /// Newest first.
    dead: VecDeque<DeadJob>,
    totals: Totals,
}

impl State {
    /// The list that a new job is pushed to, by whether it is a refresh.
    const fn pushed_to(&mut self, is_refresh: bool) -> &mut VecDeque<QueuedJob> {
        if is_refresh {
            &mut self.waiting_refresh
        } else {
            &mut self.waiting
        }
    }

    fn is_full(&mut self, is_refresh: bool, max_queue: u64) -> bool {
        self.pushed_to(is_refresh).len() as u64 >= max_queue
    }

    fn has_room_for(&mut self, envelope: &Envelope, bounds: &Bounds) -> bool {
        let queued = self.queued_bytes().saturating_add(envelope.bytes);
        self.pushed_to(envelope.refresh).is_empty()
            || queued <= bounds.max_queued_bytes_with(envelope)
    }

    fn depth(&self) -> Depth {
        Depth {
            waiting: self.waiting.len() as u64,
            waiting_refresh: self.waiting_refresh.len() as u64,
            active: self.active.len() as u64,
            delayed: self.delayed.len() as u64,
            dead: self.dead.len() as u64,
        }
    }

    /// Bytes of text in jobs that wait, are in work or delayed.
    fn queued_bytes(&self) -> u64 {
        let delayed = self.delayed.iter().map(|(_, job)| job);
        let waiting = self.waiting.iter().chain(&self.waiting_refresh);
        let jobs = waiting.chain(self.active.values()).chain(delayed);
        jobs.map(|job| job.envelope.bytes).sum()
    }

    fn end(&mut self, element: &Element) -> Finished {
        if self.active.remove(element).is_none() {
            self.totals.done_again += 1;
            return Finished::DoneAgain;
        }
        self.attempts.remove(element);
        self.crashes.remove(element);
        self.totals.done += 1;
        Finished::Done
    }
}

impl EmbeddedQueue {
    /// A queue where at most `max_queue` jobs may wait, and as many refreshes beside them (0: none is taken); its results go to `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, max_queue: u64, bounds: Bounds, timing: Timing) -> Self {
        Self {
            store,
            max_queue,
            bounds,
            timing,
            threads: 1,
            started_ms: now_ms(),
            has_model: false,
            state: Mutex::default(),
            arrived: Notify::new(),
        }
    }

    /// The same, whose jobs so many threads take instead of one.
    #[must_use]
    pub const fn with_threads(mut self, threads: u64) -> Self {
        self.threads = threads;
        self
    }

    /// The same, whose threads have a model or not.
    #[must_use]
    pub const fn with_model(mut self, has_model: bool) -> Self {
        self.has_model = has_model;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim_next(&self) -> Option<Element> {
        let mut state = self.state();
        let job = state.waiting.pop_front();
        let job = job.or_else(|| state.waiting_refresh.pop_front())?;
        let element = job.element.clone();
        state.active.insert(element.clone(), job);
        Some(element)
    }

    /// Writes the result of a job. While it is not known whether its request is refused, it lives no longer than the request's record.
    async fn write_result(
        &self,
        job: &Job,
        entries: Vec<ResultEntry<'_>>,
    ) -> Result<(), StoreError> {
        let record = [Key::Sent(job.envelope.prefix)];
        let is = |lives: Vec<Option<Life>>, life| lives == [Some(life)];
        let is_provisional = is(self.store.lives(&record).await?, Life::Provisional);
        let life = if is_provisional {
            Life::Provisional
        } else {
            job.result_life()
        };
        let entry = |(key, value): ResultEntry<'_>| {
            Entry::without_revisions(key, value.into_owned().into()).with_life(life)
        };
        let entries: Vec<Entry> = entries.into_iter().map(entry).collect();
        self.store.write(&entries).await?;
        // The request may have been accepted while this was written.
        if is_provisional && is(self.store.lives(&record).await?, Life::Full) {
            let keys: Vec<Key> = entries.iter().map(|entry| entry.key).collect();
            self.store.touch(&keys).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl JobQueue for EmbeddedQueue {
    async fn enqueue(&self, envelope: &Envelope, payload: Bytes) -> Result<Enqueued, StoreError> {
        let line = serde_json::to_vec(envelope)
            .map_err(|error| StoreError::other("enqueue a job", error))?;
        let mut guard = self.state();
        let state = &mut *guard;
        let same = |job: &&mut QueuedJob| job.envelope.prefix == envelope.prefix;
        let mut waiting = state.waiting.iter_mut().chain(&mut state.waiting_refresh);
        if let Some(job) = waiting.find(same) {
            job.payload = payload;
            state.totals.coalesced += 1;
            return Ok(Enqueued::Coalesced);
        }
        if state.is_full(envelope.refresh, self.max_queue)
            || !state.has_room_for(envelope, &self.bounds)
        {
            state.totals.dropped_full += 1;
            return Ok(Enqueued::DroppedFull);
        }
        state.pushed_to(envelope.refresh).push_back(QueuedJob {
            element: Element::new(line.into()),
            envelope: envelope.clone(),
            payload,
            withdrawn: false,
        });
        state.totals.enqueued += 1;
        drop(guard);
        self.arrived.notify_waiters();
        Ok(Enqueued::Queued)
    }

    async fn withdraw(&self, envelope: &Envelope) -> Result<(), StoreError> {
        let mut state = self.state();
        let is_other = |job: &QueuedJob| job.envelope.id != envelope.id;
        state.waiting.retain(is_other);
        state.waiting_refresh.retain(is_other);
        state.delayed.retain(|(_, job)| is_other(job));
        if let Some(running) = state.active.values_mut().find(|job| !is_other(job)) {
            running.withdrawn = true;
        }
        Ok(())
    }

    async fn drop_if_full(&self, is_refresh: bool) -> bool {
        let mut state = self.state();
        let full = state.is_full(is_refresh, self.max_queue);
        state.totals.dropped_full += u64::from(full);
        full
    }

    async fn counts(&self) -> Result<(Depth, Totals), StoreError> {
        let state = self.state();
        Ok((state.depth(), state.totals))
    }

    async fn enqueue_all(&self, jobs: &[(Envelope, Bytes)]) -> Result<Vec<Enqueued>, StoreError> {
        let mut outcomes = Vec::with_capacity(jobs.len());
        for (envelope, payload) in jobs {
            outcomes.push(self.enqueue(envelope, payload.clone()).await?);
        }
        Ok(outcomes)
    }

    async fn capacity(&self) -> Result<Capacity, StoreError> {
        Ok(Capacity {
            threads: self.threads,
            queued_bytes: self.state().queued_bytes(),
            has_model: self.has_model,
        })
    }
}

#[async_trait]
impl WorkQueue for EmbeddedQueue {
    async fn register(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn claim(&self) -> Result<Option<Element>, StoreError> {
        let mut arrived = std::pin::pin!(self.arrived.notified());
        arrived.as_mut().enable();
        if let Some(element) = self.claim_next() {
            return Ok(Some(element));
        }
        let _ = tokio::time::timeout(self.timing.claim_wait, arrived).await;
        Ok(self.claim_next())
    }

    async fn load(&self, element: &Element) -> Result<Option<Loaded>, StoreError> {
        let mut state = self.state();
        let held = state.active.get(element).cloned();
        if held.as_ref().is_some_and(|job| job.withdrawn) {
            state.end(element);
            return Ok(None);
        }
        let crashes = state.crashes.get(element).copied().unwrap_or(0);
        drop(state);
        let job = held.map(|job| loaded(job.element, job.envelope, Some(&job.payload), crashes));
        if job.as_ref().is_some_and(Loaded::is_too_late) {
            self.state().end(element);
            return Ok(None);
        }
        Ok(job)
    }

    async fn release(&self, element: &Element) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(job) = state.active.remove(element) {
            state.waiting.push_front(job);
        }
        Ok(())
    }

    async fn interrupt_claim(&self) {
        self.arrived.notify_waiters();
    }

    async fn finish(
        &self,
        job: &Job,
        result: &JobResult,
        and_claim: bool,
    ) -> Result<(Finished, Option<Element>), StoreError> {
        let is_withdrawn = {
            let state = self.state();
            let held = state.active.get(&job.element);
            held.is_some_and(|held| held.withdrawn)
        };
        if !is_withdrawn {
            let entries = job.result_entries(result, &self.bounds)?;
            self.write_result(job, entries).await?;
        }
        let finished = self.state().end(&job.element);
        Ok((finished, and_claim.then(|| self.claim_next()).flatten()))
    }

    async fn retry(&self, job: &Job, reason: &str) -> Result<Retried, StoreError> {
        let mut state = self.state();
        let Some(held) = state.active.remove(&job.element) else {
            return Ok(Retried::NotHeld);
        };
        let attempts = state.attempts.entry(job.element.clone()).or_default();
        *attempts += 1;
        let attempts = *attempts;
        if attempts >= self.bounds.max_attempts {
            state.dead_letter(held, reason, &self.bounds);
            return Ok(Retried::DeadLettered);
        }
        let delay = self
            .timing
            .first_retry_delay
            .saturating_mul(1 << (attempts - 1).min(20))
            .min(self.timing.max_retry_delay);
        state.delayed.push((Instant::now() + delay, held));
        state.totals.retried += 1;
        Ok(Retried::Later(delay))
    }

    async fn isolate(&self, job: &Job) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(held) = state.active.remove(&job.element) else {
            return Ok(false);
        };
        *state.crashes.entry(job.element.clone()).or_default() += 1;
        state.waiting.push_back(held);
        state.totals.retried += 1;
        drop(state);
        self.arrived.notify_waiters();
        Ok(true)
    }

    fn announce_end(&self, _reason: &str) {}

    async fn dead_letter(&self, element: &Element, reason: &str) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(job) = state.active.remove(element) {
            state.dead_letter(job, reason, &self.bounds);
        }
        Ok(())
    }

    async fn heartbeat(&self) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn reap(&self) -> Result<Reaped, StoreError> {
        let now = Instant::now();
        let mut state = self.state();
        let (due, later) = std::mem::take(&mut state.delayed)
            .into_iter()
            .partition::<Vec<_>, _>(|(at, _)| *at <= now);
        state.delayed = later;
        let promoted = due.len() as u64;
        state.waiting.extend(due.into_iter().map(|(_, job)| job));
        drop(state);
        self.arrived.notify_waiters();
        Ok(Reaped {
            promoted,
            ..Reaped::default()
        })
    }

    async fn deregister(&self) -> Result<u64, StoreError> {
        let mut state = self.state();
        let mut back: Vec<_> = state.active.drain().map(|(_, job)| job).collect();
        back.sort_by(|a, b| b.envelope.id.cmp(&a.envelope.id));
        let count = back.len() as u64;
        for job in back {
            state.waiting.push_front(job);
        }
        Ok(count)
    }
}
