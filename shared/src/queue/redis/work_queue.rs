//! [`RedisWorkQueue`]: the worker's side of the queue over Redis.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use redis::cmd;
use uuid::Uuid;

use super::blocking_claim::BlockingClaim;
use super::held_elements::HeldElements;
use super::{WITHDRAWN, scripts};
use crate::contract::keys::Keys;
use crate::contract::prefix::JobResult;
use crate::queue::element::{loaded, parse, read};
use crate::queue::limits::ms;
use crate::queue::{
    Bounds, Element, Finished, Job, Loaded, Reaped, Retried, Timing, WorkQueue, WorkerInfo,
    dead_letter,
};
use crate::redis::{RedisPool, Retry};
use crate::store::{Life, StoreError};

/// How many due retries one reap brings back.
const MAX_PROMOTED: usize = 100;
/// How long a command that was sent over a broken connection may still reach Redis: as long as a network may hold it back.
const LATE_COMMAND_WINDOW: Duration = Duration::from_secs(120);
/// How long a claim waits while the queue is paused.
const PAUSE_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The queue as one worker process sees it.
#[derive(Debug)]
pub struct RedisWorkQueue {
    pub(super) pool: Arc<RedisPool>,
    pub(super) keys: Keys,
    id: String,
    pub(super) active: String,
    info: Mutex<WorkerInfo>,
    pub(super) bounds: Bounds,
    pub(super) timing: Timing,
    blocking_claim: BlockingClaim,
    held: Mutex<HeldElements>,
    /// Whether the queue was paused at the last reply that says so.
    pub(super) paused: AtomicBool,
    /// When a claim that does not wait was last sent over a connection that broke.
    lost_claim_at: Mutex<Option<Instant>>,
}

impl RedisWorkQueue {
    /// The queue under these keys, for the worker that `info` describes.
    #[must_use]
    pub fn new(
        pool: Arc<RedisPool>,
        keys: Keys,
        info: &WorkerInfo,
        bounds: Bounds,
        timing: Timing,
    ) -> Self {
        // In a container the pid is always the same, and the host's name may outlive a restart.
        let id = format!("{}:{}:{}", info.host, info.pid, Uuid::new_v4());
        Self {
            blocking_claim: BlockingClaim::new(Arc::clone(&pool), timing.claim_wait),
            active: keys.active(&id),
            info: Mutex::new(info.clone()),
            held: Mutex::default(),
            paused: AtomicBool::new(false),
            lost_claim_at: Mutex::default(),
            pool,
            keys,
            id,
            bounds,
            timing,
        }
    }

    /// This worker's id: host, pid and a random part.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn held(&self) -> MutexGuard<'_, HeldElements> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost_claim_at(&self) -> MutexGuard<'_, Option<Instant>> {
        let lost_claim_at = self.lost_claim_at.lock();
        lost_claim_at.unwrap_or_else(PoisonError::into_inner)
    }

    fn info(&self) -> MutexGuard<'_, WorkerInfo> {
        self.info.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that Redis may claim another element for this worker although nobody waits for the reply.
    pub(super) fn note_lost_claim(&self) {
        *self.lost_claim_at() = Some(Instant::now());
    }

    /// Whether a claim that has ended here may still move an element into this worker's list.
    fn may_still_claim(&self) -> bool {
        let recently = |at: Instant| at.elapsed() < LATE_COMMAND_WINDOW;
        self.blocking_claim.may_still_claim() || self.lost_claim_at().is_some_and(recently)
    }

    /// Claims the next element if one waits: of the refreshes too, which the blocking claim leaves alone, and from a Redis that is too full
    /// for a blocking claim.
    async fn claim_waiting(&self) -> Result<Option<Element>, StoreError> {
        let mut script = scripts::CLAIM.key(&self.active);
        script
            .key(self.keys.jobs())
            .key(self.keys.refresh_jobs())
            .key(self.keys.paused());
        let claimed: Result<Option<Vec<u8>>, _> =
            self.pool.query("claim a job", Retry::Never, &script).await;
        if claimed.is_err() {
            self.note_lost_claim();
        }
        Ok(claimed?.map(|bytes| Element::new(bytes.into())))
    }

    /// Claims the next element, and waits for one if there is none. A refresh that comes during the wait is claimed by the next call.
    async fn claim_next(&self) -> Result<Option<Element>, StoreError> {
        match self.claim_waiting().await? {
            Some(element) => Ok(Some(element)),
            None => {
                let jobs = self.keys.jobs();
                self.blocking_claim.claim(&jobs, &self.active).await
            }
        }
    }

    async fn is_paused(&self) -> Result<bool, StoreError> {
        let exists = cmd("EXISTS").arg(self.keys.paused()).to_owned();
        self.pool
            .query("see whether the queue is paused", Retry::Once, &exists)
            .await
    }
}

#[async_trait]
impl WorkQueue for RedisWorkQueue {
    async fn register(&self) -> Result<(), StoreError> {
        self.heartbeat().await.map(|_| ())
    }

    async fn claim(&self) -> Result<Option<Element>, StoreError> {
        if let Some(evicts) = self.pool.evicts() {
            return Err(StoreError::other("claim a job", evicts));
        }
        if self.paused.load(Ordering::Relaxed) {
            if self.is_paused().await? {
                tokio::time::sleep(PAUSE_POLL_INTERVAL.min(self.timing.claim_wait)).await;
                return Ok(None);
            }
            self.paused.store(false, Ordering::Relaxed);
        }
        let adopted = self.held().next_adopted();
        let element = match adopted {
            Some(element) => Some(element),
            None => self.claim_next().await?,
        };
        Ok(element.filter(|element| self.held().start(element)))
    }

    async fn load(&self, element: &Element) -> Result<Option<Loaded>, StoreError> {
        let envelope = match read(element, self.bounds.max_envelope_bytes) {
            Ok(envelope) => envelope,
            Err(reason) => {
                let element = element.clone();
                return Ok(Some(Loaded::Unusable { element, reason }));
            }
        };
        let keys = [
            self.active.clone(),
            self.keys.jobs(),
            self.keys.paused(),
            self.keys.pending(envelope.prefix),
            self.keys.compressed(envelope.prefix),
            self.keys.crashes(),
        ];
        let args = [element.bytes(), envelope.id.as_bytes()];
        // The payload is read outside the script, which would copy it once more. Nobody replaces the payload of a claimed job. MGET,
        // because it treats a key of another type as missing.
        let mut commands = scripts::pipeline(&scripts::LOAD, &keys, &args);
        commands.cmd("MGET").arg(self.keys.payload(&envelope.id));
        let reply = self
            .pool
            .query_with_script("take up a job", &scripts::LOAD, &commands);
        let ((state, has_result, crashes), [payload]): ((String, bool, u32), [Option<Vec<u8>>; 1]) =
            reply.await?;
        if state != "taken" {
            self.paused.fetch_or(state == "paused", Ordering::Relaxed);
            self.held().end(element);
            return Ok(None);
        }
        let is_withdrawn = payload.as_deref() == Some(WITHDRAWN.as_bytes());
        let loaded = loaded(
            element.clone(),
            envelope.clone(),
            payload.as_deref(),
            crashes,
        );
        if payload.is_none() && has_result || is_withdrawn || loaded.is_too_late() {
            // The job was done before, or nobody wants its result.
            let nothing = (&[][..], false, Life::Full);
            self.acknowledge((element, &envelope), nothing, false)
                .await?;
            return Ok(None);
        }
        Ok(Some(loaded))
    }

    async fn release(&self, element: &Element) -> Result<(), StoreError> {
        let mut script = scripts::RELEASE.key(&self.active);
        script.key(self.keys.jobs()).arg(element.bytes());
        let _: bool = self
            .pool
            .query("give a job back", Retry::Once, &script)
            .await?;
        self.held().end(element);
        Ok(())
    }

    async fn interrupt_claim(&self) {
        self.blocking_claim.interrupt().await;
    }

    async fn finish(
        &self,
        job: &Job,
        result: &JobResult,
        and_claim: bool,
    ) -> Result<(Finished, Option<Element>), StoreError> {
        let entries = job.result_entries(result, &self.bounds)?;
        let bytes: usize = entries.iter().map(|(_, value)| value.len()).sum();
        // A script would copy a large result twice more, but only a script can write to a full Redis.
        let is_large = bytes as u64 >= self.bounds.large_job_bytes;
        let is_written = is_large && self.write_result(&entries).await.is_ok();
        let and_claim = and_claim && self.pool.evicts().is_none();
        let held = (&job.element, &job.envelope);
        let written = (&entries[..], is_written, job.result_life());
        self.acknowledge(held, written, and_claim).await
    }

    async fn retry(&self, job: &Job, reason: &str) -> Result<Retried, StoreError> {
        let entry = dead_letter::unfinished_entry(
            reason,
            &self.id,
            &job.element,
            self.bounds.max_envelope_bytes,
        );
        let mut script = scripts::RETRY.key(&self.active);
        script
            .key(self.keys.delayed())
            .key(self.keys.dead())
            .key(self.keys.crashes())
            .key(self.keys.attempts())
            .key(self.keys.stats())
            .arg(job.element.bytes())
            .arg(&job.envelope.id)
            .arg(ms(self.timing.first_retry_delay))
            .arg(ms(self.timing.max_retry_delay))
            .arg(self.bounds.max_attempts)
            .arg(self.bounds.max_dead_letters)
            .arg(entry)
            .arg(job.envelope.bytes);
        let reply: i64 = self
            .pool
            .query("put a job off", Retry::Once, &script)
            .await?;
        self.held().end(&job.element);
        Ok(match u64::try_from(reply) {
            Ok(0) => Retried::DeadLettered,
            Ok(delay) => Retried::Later(Duration::from_millis(delay)),
            Err(_) => Retried::NotHeld,
        })
    }

    async fn isolate(&self, job: &Job) -> Result<bool, StoreError> {
        let mut script = scripts::ISOLATE.key(&self.active);
        script
            .key(self.keys.jobs())
            .key(self.keys.crashes())
            .key(self.keys.stats())
            .arg(job.element.bytes())
            .arg(&job.envelope.id);
        let moved = self
            .pool
            .query("give a job back to run alone", Retry::Once, &script)
            .await?;
        self.held().end(&job.element);
        Ok(moved)
    }

    fn announce_end(&self, reason: &str) {
        self.info().ending = Some(reason.to_owned());
    }

    async fn dead_letter(&self, element: &Element, reason: &str) -> Result<(), StoreError> {
        let entry = dead_letter::unfinished_entry(
            reason,
            &self.id,
            element,
            self.bounds.max_envelope_bytes,
        );
        let envelope = parse(element, self.bounds.max_envelope_bytes).ok();
        let (id, bytes) = envelope.map_or_else(Default::default, |it| (it.id, it.bytes));
        let mut script = scripts::DEAD_LETTER.key(&self.active);
        script
            .key(self.keys.dead())
            .key(self.keys.crashes())
            .key(self.keys.attempts())
            .key(self.keys.stats())
            .arg(element.bytes())
            .arg(id)
            .arg(bytes)
            .arg(self.bounds.max_dead_letters)
            .arg(entry);
        let _: bool = self.pool.query("bury a job", Retry::Once, &script).await?;
        self.held().end(element);
        Ok(())
    }

    async fn heartbeat(&self) -> Result<usize, StoreError> {
        let info = serde_json::to_string(&*self.info()).unwrap_or_default();
        let mut script = scripts::HEARTBEAT.key(self.keys.workers());
        script
            .key(self.keys.worker_info())
            .key(&self.active)
            .arg(&self.id)
            .arg(info);
        let listed: Vec<Vec<u8>> = self
            .pool
            .query("send a heartbeat", Retry::Once, &script)
            .await?;
        let listed = listed.into_iter().map(|bytes| Element::new(bytes.into()));
        Ok(self.held().reconcile(listed.collect()))
    }

    async fn reap(&self) -> Result<Reaped, StoreError> {
        let mut all = Reaped::default();
        let workers = self.registered_workers().await?;
        for worker in workers.iter().filter(|worker| worker.is_stale) {
            let (reaped, dead_lettered) = self.reap_worker(&worker.id).await?;
            all.reaped += reaped;
            all.dead_lettered += dead_lettered;
        }
        let mut script = scripts::PROMOTE.key(self.keys.delayed());
        script.key(self.keys.jobs()).arg(MAX_PROMOTED);
        let promoted = self.pool.query("bring back due jobs", Retry::Once, &script);
        all.promoted = promoted.await?;
        self.recount_queued_bytes(&workers).await?;
        Ok(all)
    }

    async fn deregister(&self) -> Result<u64, StoreError> {
        const OPERATION: &str = "give jobs back";
        let mut script = scripts::RELEASE_ALL.key(&self.active);
        script.key(self.keys.jobs());
        let released = self.pool.query(OPERATION, Retry::Once, &script).await?;
        *self.held() = HeldElements::default();
        // The registration has to stay for the reapers as long as an element may still arrive in the list.
        if !self.may_still_claim() {
            let mut remove = redis::pipe();
            remove
                .atomic()
                .zrem(self.keys.workers(), &self.id)
                .hdel(self.keys.worker_info(), &self.id);
            let () = self.pool.query(OPERATION, Retry::Once, &remove).await?;
        }
        Ok(released)
    }
}
