//! The worker's side over Redis.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::Pool;
use redis::{FromRedisValue, ScriptInvocation};
use serde::Serialize;
use uuid::Uuid;

use super::connect::get;
use super::element::{claimed, read};
use super::held::Held;
use super::line::Line;
use super::scripts;
use crate::config::RedisUrl;
use crate::job::Envelope;
use crate::keys::Keys;
use crate::prefix::JobResult;
use crate::queue::limits::ms;
use crate::queue::{
    Bounds, Claimed, Element, Finished, Job, Reaped, Retried, Timing, WorkQueue, dead,
};
use crate::store::{Key, StoreError};

/// How many due retries one look brings back.
const PROMOTE: usize = 100;
/// How long a claim waits while the queue is paused.
const PAUSED: Duration = Duration::from_millis(500);

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
pub struct RedisWork {
    pool: Pool,
    keys: Keys,
    id: String,
    active: String,
    info: String,
    bounds: Bounds,
    timing: Timing,
    line: Line,
    held: Mutex<Held>,
}

impl RedisWork {
    /// The queue under these keys, for the worker that `info` describes. `pool` and `url` must lead to the same Redis.
    #[must_use]
    pub fn new(
        (pool, url): (Pool, RedisUrl),
        keys: Keys,
        info: &WorkerInfo,
        bounds: Bounds,
        timing: Timing,
    ) -> Self {
        // In a container the pid is always the same, and the host's name may outlive a restart.
        let id = format!("{}:{}:{}", info.host, info.pid, Uuid::new_v4());
        Self {
            line: Line::new(url, timing.claim),
            active: keys.active(&id),
            info: serde_json::to_string(info).unwrap_or_default(),
            held: Mutex::default(),
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

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run<T: FromRedisValue>(
        &self,
        what: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let mut connection = get(&self.pool, what).await?;
        script
            .invoke_async(&mut connection)
            .await
            .map_err(|error| StoreError::redis(what, error))
    }

    async fn paused(&self) -> Result<bool, StoreError> {
        const WHAT: &str = "see whether the queue is paused";
        let mut connection = get(&self.pool, WHAT).await?;
        redis::cmd("EXISTS")
            .arg(self.keys.paused())
            .query_async(&mut connection)
            .await
            .map_err(|error| StoreError::redis(WHAT, error))
    }

    /// Takes up an element that stands in the active list.
    async fn take(&self, element: Element) -> Result<Option<Claimed>, StoreError> {
        if !self.held().take(&element) {
            return Ok(None);
        }
        let envelope = match read(&element, self.bounds.envelope_bytes) {
            Ok(envelope) => envelope,
            Err(reason) => return Ok(Some(Claimed::Unusable { element, reason })),
        };
        let script = &scripts::TAKE;
        let mut script = script.key(&self.active);
        script
            .key(self.keys.jobs())
            .key(self.keys.paused())
            .key(self.keys.pending(envelope.prefix))
            .key(self.keys.payload(&envelope.id))
            .key(self.keys.compressed(envelope.prefix))
            .key(self.keys.crashes())
            .arg(element.bytes())
            .arg(&envelope.id);
        let taken = self.run("take up a job", &script).await;
        let (state, payload, has_result, crashes): (String, Option<Vec<u8>>, bool, u32) =
            match taken {
                Ok(taken) => taken,
                Err(error) => {
                    self.held().put_off(element);
                    return Err(error);
                }
            };
        if state != "taken" {
            self.held().settle(&element);
            return Ok(None);
        }
        match payload {
            // What it would make is there: there is nothing left to do.
            None if has_result => match self.end(&element, &envelope, &[]).await {
                Ok(_) => Ok(None),
                Err(error) => {
                    self.held().put_off(element);
                    Err(error)
                }
            },
            payload => Ok(Some(claimed(element, envelope, payload, crashes))),
        }
    }

    /// Ends a job, and writes what it leaves in the store.
    async fn end(
        &self,
        element: &Element,
        envelope: &Envelope,
        entries: &[(Key, &[u8])],
    ) -> Result<Finished, StoreError> {
        let mut script = scripts::FINISH.key(&self.active);
        script
            .key(self.keys.payload(&envelope.id))
            .key(self.keys.crashes())
            .key(self.keys.attempts())
            .key(self.keys.stats())
            .arg(element.bytes())
            .arg(&envelope.id)
            .arg(self.keys.done())
            .arg(envelope.prefix.to_string())
            .arg(ms(self.bounds.results_live));
        for (key, value) in entries {
            script.key(self.keys.entry(*key)).arg(*value);
        }
        let mine: bool = self.run("finish a job", &script).await?;
        self.held().settle(element);
        Ok(if mine {
            Finished::Done
        } else {
            Finished::DoneAgain
        })
    }

    async fn reap_one(&self, worker: &str) -> Result<(u64, u64), StoreError> {
        let reason = format!(
            "{} workers died or stalled while they held it",
            self.bounds.deaths
        );
        let mut script = scripts::REAP.key(self.keys.workers());
        script
            .key(self.keys.worker_info())
            .key(self.keys.active(worker))
            .key(self.keys.jobs())
            .key(self.keys.dead())
            .key(self.keys.crashes())
            .key(self.keys.attempts())
            .key(self.keys.stats())
            .arg(worker)
            .arg(ms(self.timing.stale))
            .arg(ms(self.timing.forget))
            .arg(self.bounds.deaths)
            .arg(self.bounds.dead)
            .arg(dead::head(&reason, worker));
        self.run("take back a dead worker's jobs", &script).await
    }

    /// Workers whose heartbeat is old, or from a time that is yet to come. The script looks again.
    async fn suspects(&self) -> Result<Vec<String>, StoreError> {
        const WHAT: &str = "look for dead workers";
        let mut connection = get(&self.pool, WHAT).await?;
        let ((seconds, micros), scores): ((u64, u64), Vec<(String, f64)>) = redis::pipe()
            .cmd("TIME")
            .zrange_withscores(self.keys.workers(), 0, -1)
            .query_async(&mut connection)
            .await
            .map_err(|error| StoreError::redis(WHAT, error))?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds fit for 285,000 years"
        )]
        let (now, stale) = (
            (seconds * 1000 + micros / 1000) as f64,
            ms(self.timing.stale) as f64,
        );
        Ok(scores
            .into_iter()
            .filter(|(worker, score)| *worker != self.id && (now - score >= stale || *score > now))
            .map(|(worker, _)| worker)
            .collect())
    }
}

#[async_trait]
impl WorkQueue for RedisWork {
    async fn register(&self) -> Result<(), StoreError> {
        self.heartbeat().await.map(|_| ())
    }

    async fn claim(&self) -> Result<Option<Claimed>, StoreError> {
        if self.paused().await? {
            tokio::time::sleep(PAUSED.min(self.timing.claim)).await;
            return Ok(None);
        }
        let found = self.held().next_found();
        let element = match found {
            Some(element) => Some(element),
            None => self.line.pop(&self.keys.jobs(), &self.active).await?,
        };
        match element {
            Some(element) => self.take(element).await,
            None => Ok(None),
        }
    }

    async fn interrupt(&self) {
        self.line.interrupt(&self.pool).await;
    }

    async fn finish(&self, job: &Job, result: &JobResult) -> Result<Finished, StoreError> {
        let compressed = serde_json::to_vec(&result.compressed)
            .map_err(|error| StoreError::other("finish a job", error))?;
        let mut entries = vec![(Key::Compressed(job.envelope.prefix), compressed.as_slice())];
        let forms = result.forms.iter();
        entries.extend(forms.map(|form| (Key::Form(form.id), form.text.as_bytes())));
        self.bounds
            .check_result(entries.iter().map(|(_, value)| value.len()).sum())?;
        self.end(&job.element, &job.envelope, &entries).await
    }

    async fn retry(&self, job: &Job, reason: &str) -> Result<Retried, StoreError> {
        let entry = dead::entry(reason, &self.id, &job.element, self.bounds.envelope_bytes);
        let mut script = scripts::RETRY.key(&self.active);
        script
            .key(self.keys.delayed())
            .key(self.keys.dead())
            .key(self.keys.crashes())
            .key(self.keys.attempts())
            .key(self.keys.stats())
            .arg(job.element.bytes())
            .arg(&job.envelope.id)
            .arg(ms(self.timing.retry))
            .arg(ms(self.timing.retry_most))
            .arg(self.bounds.attempts)
            .arg(self.bounds.dead)
            .arg(entry);
        let became: i64 = self.run("put a job off", &script).await?;
        self.held().settle(&job.element);
        Ok(match u64::try_from(became) {
            Ok(0) => Retried::Buried,
            Ok(delay) => Retried::Later(Duration::from_millis(delay)),
            Err(_) => Retried::NotHeld,
        })
    }

    async fn bury(&self, element: &Element, reason: &str) -> Result<(), StoreError> {
        let entry = dead::entry(reason, &self.id, element, self.bounds.envelope_bytes);
        let id = read(element, self.bounds.envelope_bytes).map_or_else(|_| String::new(), |e| e.id);
        let mut script = scripts::BURY.key(&self.active);
        script
            .key(self.keys.dead())
            .key(self.keys.crashes())
            .key(self.keys.attempts())
            .key(self.keys.stats())
            .arg(element.bytes())
            .arg(id)
            .arg(self.bounds.dead)
            .arg(entry);
        let _: bool = self.run("bury a job", &script).await?;
        self.held().settle(element);
        Ok(())
    }

    async fn heartbeat(&self) -> Result<usize, StoreError> {
        let mut script = scripts::BEAT.key(self.keys.workers());
        script
            .key(self.keys.worker_info())
            .key(&self.active)
            .arg(&self.id)
            .arg(&self.info);
        let listed: Vec<Vec<u8>> = self.run("send a heartbeat", &script).await?;
        let listed = listed
            .into_iter()
            .map(|bytes| Element::new(bytes.into()))
            .collect();
        Ok(self.held().compare(listed))
    }

    async fn reap(&self) -> Result<Reaped, StoreError> {
        let mut all = Reaped::default();
        for worker in self.suspects().await? {
            let (reaped, buried) = self.reap_one(&worker).await?;
            all.reaped += reaped;
            all.buried += buried;
        }
        let mut script = scripts::PROMOTE.key(self.keys.delayed());
        script.key(self.keys.jobs()).arg(PROMOTE);
        all.promoted = self.run("bring back due jobs", &script).await?;
        Ok(all)
    }

    async fn leave(&self) -> Result<u64, StoreError> {
        const WHAT: &str = "give jobs back";
        let mut script = scripts::GIVE_BACK.key(&self.active);
        script.key(self.keys.jobs());
        let back = self.run(WHAT, &script).await?;
        *self.held() = Held::default();
        // The entry has to stay for the reapers as long as something may still arrive in the list.
        if !self.line.may_move_late() {
            let mut connection = get(&self.pool, WHAT).await?;
            let _: () = redis::pipe()
                .atomic()
                .zrem(self.keys.workers(), &self.id)
                .hdel(self.keys.worker_info(), &self.id)
                .query_async(&mut connection)
                .await
                .map_err(|error| StoreError::redis(WHAT, error))?;
        }
        Ok(back)
    }
}
