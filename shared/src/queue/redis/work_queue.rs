//! The worker's side over Redis.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use redis::cmd;
use serde::Serialize;
use uuid::Uuid;

use super::blocking_claim::BlockingClaim;
use super::held_elements::HeldElements;
use super::scripts;
use crate::contract::keys::Keys;
use crate::contract::prefix::JobResult;
use crate::queue::element::{loaded, read};
use crate::queue::limits::ms;
use crate::queue::{
    Bounds, Element, Finished, Job, Loaded, Reaped, Retried, Timing, WorkQueue, dead_letter,
};
use crate::redis::RedisPool;
use crate::store::StoreError;

/// How many due retries one look brings back.
const MAX_PROMOTED: usize = 100;
/// How long what was sent over a broken connection may still reach Redis: as long as a network holds it back.
const LATE_COMMAND_WINDOW: Duration = Duration::from_secs(120);
/// How long a claim waits while the queue is paused, before it looks again.
const PAUSE_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// What `headroom:worker-info` tells of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct WorkerInfo {
    /// Its machine or container.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// How many jobs it does at once.
    pub threads: usize,
    /// Its program's version.
    pub version: String,
    /// When it started: milliseconds since 1970 by its own clock.
    pub started: u64,
}

/// The queue as one worker process sees it.
#[derive(Debug)]
pub struct RedisWorkQueue {
    pub(super) pool: Arc<RedisPool>,
    pub(super) keys: Keys,
    id: String,
    pub(super) active: String,
    info: String,
    pub(super) bounds: Bounds,
    pub(super) timing: Timing,
    blocking_claim: BlockingClaim,
    held: Mutex<HeldElements>,
    /// Whether the queue was paused when it was last seen.
    pub(super) paused: AtomicBool,
    /// When a claim with a job's end was last sent over a connection that broke.
    cut_off: Mutex<Option<Instant>>,
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
            info: serde_json::to_string(info).unwrap_or_default(),
            held: Mutex::default(),
            paused: AtomicBool::new(false),
            cut_off: Mutex::default(),
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

    /// Notes that Redis may claim another element for this worker although nobody waits for the answer.
    pub(super) fn may_claim_late(&self) {
        *self.cut_off.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether something may still arrive in this worker's list without having been asked for now.
    fn may_move_late(&self) -> bool {
        let cut_off = *self.cut_off.lock().unwrap_or_else(PoisonError::into_inner);
        self.blocking_claim.may_move_late()
            || cut_off.is_some_and(|at| at.elapsed() < LATE_COMMAND_WINDOW)
    }

    /// The next element, from a Redis that is too full to wait for one.
    async fn claim_from_full(&self) -> Result<Option<Element>, StoreError> {
        let mut script = scripts::CLAIM.key(&self.active);
        script.key(self.keys.jobs()).key(self.keys.paused());
        let claimed: Option<Vec<u8>> = self
            .pool
            .call("claim a job", async |mut connection| {
                script.invoke_async(&mut connection).await
            })
            .await?;
        Ok(claimed.map(|bytes| Element::new(bytes.into())))
    }

    async fn is_paused(&self) -> Result<bool, StoreError> {
        let exists = cmd("EXISTS").arg(self.keys.paused()).to_owned();
        let asked = async |mut connection| exists.query_async(&mut connection).await;
        self.pool
            .repeat("see whether the queue is paused", asked)
            .await
    }
}

/// Bytes of text as the scripts take them away from their count.
pub(super) fn minus(bytes: u64) -> i64 {
    -i64::try_from(bytes).unwrap_or(i64::MAX)
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
        let found = self.held().next_adopted();
        let element = match found {
            Some(element) => Some(element),
            None => match self
                .blocking_claim
                .claim(&self.keys.jobs(), &self.active)
                .await
            {
                Err(full) if full.is_out_of_memory() => {
                    let claimed = self.claim_from_full().await?;
                    Some(claimed.ok_or(full)?)
                }
                popped => popped?,
            },
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
        // Outside the script, which would copy it once more. Nobody replaces the payload of a job that waits no more. MGET, to
        // which a key of another type is none.
        let mut commands = scripts::pipeline(&scripts::LOAD, &keys, &args);
        commands.cmd("MGET").arg(self.keys.payload(&envelope.id));
        let taken = self
            .pool
            .run_pipeline("take up a job", &scripts::LOAD, &commands);
        let ((state, has_result, crashes), [payload]): ((String, bool, u32), [Option<Vec<u8>>; 1]) =
            taken.await?;
        if state != "taken" {
            self.paused.fetch_or(state == "paused", Ordering::Relaxed);
            self.held().end(element);
            return Ok(None);
        }
        if payload.is_none() && has_result {
            // What it would make is there: there is nothing left to do.
            self.end((element, &envelope), &[], false).await?;
            return Ok(None);
        }
        Ok(Some(loaded(
            element.clone(),
            envelope,
            payload.as_deref(),
            crashes,
        )))
    }

    async fn release(&self, element: &Element) -> Result<(), StoreError> {
        let mut script = scripts::RELEASE.key(&self.active);
        script.key(self.keys.jobs()).arg(element.bytes());
        let _: bool = self.pool.run("give a job back", &script).await?;
        self.held().end(element);
        Ok(())
    }

    async fn interrupt(&self) {
        self.blocking_claim.interrupt().await;
    }

    async fn finish(
        &self,
        job: &Job,
        result: &JobResult,
        and_claim: bool,
    ) -> Result<(Finished, Option<Element>), StoreError> {
        let mut left = job.result_entries(result, &self.bounds)?;
        let bytes: usize = left.iter().map(|(_, value)| value.len()).sum();
        // A script would copy a large result twice more. A full Redis takes it from a script alone.
        if bytes as u64 >= self.bounds.large_job_bytes && self.write(&left).await.is_ok() {
            left.clear();
        }
        let and_claim = and_claim && self.pool.evicts().is_none();
        self.end((&job.element, &job.envelope), &left, and_claim)
            .await
    }

    async fn retry(&self, job: &Job, reason: &str) -> Result<Retried, StoreError> {
        let entry = dead_letter::entry(
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
            .arg(minus(job.envelope.bytes));
        let became: i64 = self.pool.run("put a job off", &script).await?;
        self.held().end(&job.element);
        Ok(match u64::try_from(became) {
            Ok(0) => Retried::DeadLettered,
            Ok(delay) => Retried::Later(Duration::from_millis(delay)),
            Err(_) => Retried::NotHeld,
        })
    }

    async fn dead_letter(&self, element: &Element, reason: &str) -> Result<(), StoreError> {
        let entry = dead_letter::entry(reason, &self.id, element, self.bounds.max_envelope_bytes);
        let envelope = read(element, self.bounds.max_envelope_bytes).ok();
        let (id, bytes) = envelope.map_or_else(Default::default, |it| (it.id, it.bytes));
        let mut script = scripts::DEAD_LETTER.key(&self.active);
        script
            .key(self.keys.dead())
            .key(self.keys.crashes())
            .key(self.keys.attempts())
            .key(self.keys.stats())
            .arg(element.bytes())
            .arg(id)
            .arg(minus(bytes))
            .arg(self.bounds.max_dead_letters)
            .arg(entry);
        let _: bool = self.pool.run("bury a job", &script).await?;
        self.held().end(element);
        Ok(())
    }

    async fn heartbeat(&self) -> Result<usize, StoreError> {
        let mut script = scripts::HEARTBEAT.key(self.keys.workers());
        script
            .key(self.keys.worker_info())
            .key(&self.active)
            .arg(&self.id)
            .arg(&self.info);
        let listed: Vec<Vec<u8>> = self.pool.run("send a heartbeat", &script).await?;
        let listed = listed
            .into_iter()
            .map(|bytes| Element::new(bytes.into()))
            .collect();
        Ok(self.held().reconcile(listed))
    }

    async fn reap(&self) -> Result<Reaped, StoreError> {
        let mut all = Reaped::default();
        for worker in self.suspects().await? {
            let (reaped, buried) = self.reap_one(&worker).await?;
            all.reaped += reaped;
            all.dead_lettered += buried;
        }
        let mut script = scripts::PROMOTE.key(self.keys.delayed());
        script.key(self.keys.jobs()).arg(MAX_PROMOTED);
        all.promoted = self.pool.run("bring back due jobs", &script).await?;
        Ok(all)
    }

    async fn deregister(&self) -> Result<u64, StoreError> {
        const OPERATION: &str = "give jobs back";
        let mut script = scripts::RELEASE_ALL.key(&self.active);
        script.key(self.keys.jobs());
        let back = self.pool.run(OPERATION, &script).await?;
        *self.held() = HeldElements::default();
        // The entry has to stay for the reapers as long as something may still arrive in the list.
        if !self.may_move_late() {
            let mut forget = redis::pipe();
            forget
                .atomic()
                .zrem(self.keys.workers(), &self.id)
                .hdel(self.keys.worker_info(), &self.id);
            self.pool
                .repeat(OPERATION, async |mut connection| {
                    forget.exec_async(&mut connection).await
                })
                .await?;
        }
        Ok(back)
    }
}
