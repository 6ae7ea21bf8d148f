//! [`RedisJobQueue`]: the producer's side of the queue over Redis.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use redis::Cmd;

use super::memory::MemoryUsage;
use super::{WITHDRAWN, capacity, scripts};
use crate::contract::job::Envelope;
use crate::contract::keys::Keys;
use crate::queue::limits::ms;
use crate::queue::{Bounds, Capacity, Depth, Enqueued, JobQueue, Totals};
use crate::redis::{RedisPool, Retry};
use crate::store::StoreError;

const OPERATION: &str = "enqueue a job";

/// The queue that the proxy pushes to.
#[derive(Debug)]
pub struct RedisJobQueue {
    pool: Arc<RedisPool>,
    keys: Keys,
    max_queue: u64,
    bounds: Bounds,
    memory: MemoryUsage,
    /// Whether the last push of a job that is no refresh was dropped.
    dropped_job: AtomicBool,
    /// Whether the last push of a refresh was dropped.
    dropped_refresh: AtomicBool,
}

impl RedisJobQueue {
    /// The queue under these keys, where at most `max_queue` jobs may wait, and as many refreshes beside them (0: none is accepted).
    #[must_use]
    pub fn new(pool: Arc<RedisPool>, keys: Keys, max_queue: u64, bounds: Bounds) -> Self {
        Self {
            pool,
            keys,
            max_queue,
            bounds,
            memory: MemoryUsage::default(),
            dropped_job: AtomicBool::new(false),
            dropped_refresh: AtomicBool::new(false),
        }
    }
}

/// How often a job is pushed again that was about to replace a waiting one which was then claimed.
const MAX_PUSHES: usize = 3;

/// A job to push.
struct Push<'a> {
    envelope: &'a Envelope,
    /// The envelope's JSON.
    element: String,
    payload: Bytes,
}

/// The lengths of the lists, the counters, and the ids of the workers.
type CountsReply = (u64, u64, u64, u64, HashMap<String, i64>, Vec<String>);

/// The reply to a push.
enum Pushed {
    Ended(Enqueued),
    /// The envelope with this id waits for the same prefix.
    Pending(String),
}

impl RedisJobQueue {
    /// Whether the last push to the list was dropped that a job, or a refresh, would go to.
    const fn dropped(&self, is_refresh: bool) -> &AtomicBool {
        if is_refresh {
            &self.dropped_refresh
        } else {
            &self.dropped_job
        }
    }

    /// The job to push.
    ///
    /// # Errors
    /// When its envelope is too long.
    fn checked<'a>(&self, envelope: &'a Envelope, payload: Bytes) -> Result<Push<'a>, StoreError> {
        let element = element(envelope)?;
        if element.len() > self.bounds.max_envelope_bytes {
            return Err(StoreError::other(OPERATION, "its envelope is too long"));
        }
        Ok(Push {
            envelope,
            element,
            payload,
        })
    }

    /// Whether jobs of so many bytes of text are too large for how full Redis is.
    async fn lacks_memory_for(&self, bytes: u64) -> Result<bool, StoreError> {
        let max_percent = self.bounds.max_memory_percent;
        Ok(bytes >= self.bounds.large_job_bytes
            && self.memory.is_above(&self.pool, max_percent).await?)
    }

    /// The command that pushes a job.
    fn push_command(&self, push: &Push<'_>) -> Cmd {
        let Push {
            envelope,
            element,
            payload,
        } = push;
        let keys = [
            self.keys.pushed_to(envelope.refresh),
            self.keys.pending(envelope.prefix),
            self.keys.payload(&envelope.id),
            self.keys.stats(),
        ];
        let numbers = [
            self.max_queue,
            ms(self.bounds.payload_ttl),
            ms(self.bounds.pending_ttl),
            envelope.bytes,
            self.bounds.max_queued_bytes_with(envelope),
        ]
        .map(|number| number.to_string());
        let mut args = vec![element.as_bytes(), envelope.id.as_bytes(), payload];
        args.extend(numbers.iter().map(String::as_bytes));
        scripts::command(&scripts::ENQUEUE, &keys, &args)
    }

    /// Pushes jobs in one round trip, and gives the reply to each.
    async fn push(&self, jobs: &[Push<'_>]) -> Result<Vec<Pushed>, StoreError> {
        let mut commands = redis::pipe();
        for push in jobs {
            commands.add_command(self.push_command(push));
        }
        let script = &*scripts::ENQUEUE;
        let replies = self.pool.query_with_script(OPERATION, script, &commands);
        let replies: Vec<Vec<String>> = replies.await?;
        let pushed = replies.into_iter().map(|reply| match reply.as_slice() {
            [queued] if queued == "queued" => Pushed::Ended(Enqueued::Queued),
            [_, waiting_id] => Pushed::Pending(waiting_id.clone()),
            _ => Pushed::Ended(Enqueued::DroppedFull),
        });
        let pushed: Vec<Pushed> = pushed.collect();
        for (push, pushed) in jobs.iter().zip(&pushed) {
            let dropped = matches!(pushed, Pushed::Ended(Enqueued::DroppedFull));
            self.dropped(push.envelope.refresh)
                .store(dropped, Ordering::Relaxed);
        }
        Ok(pushed)
    }

    /// Replaces the payload of the waiting job with this id; false if it no longer waits.
    async fn coalesce(&self, push: &Push<'_>, waiting_id: &str) -> Result<bool, StoreError> {
        let keys = [
            self.keys.pending(push.envelope.prefix),
            self.keys.payload(waiting_id),
            self.keys.stats(),
        ];
        let ttl = ms(self.bounds.payload_ttl).to_string();
        let args = [waiting_id.as_bytes(), &push.payload, ttl.as_bytes()];
        let script = &*scripts::COALESCE;
        let commands = scripts::pipeline(script, &keys, &args);
        let replaced = self.pool.query_with_script(OPERATION, script, &commands);
        let (replaced,) = replaced.await?;
        Ok(replaced)
    }

    /// Counts jobs as dropped without a push, unless Redis is too full for that too.
    async fn count_dropped(&self, jobs: usize) {
        let mut count = redis::cmd("HINCRBY");
        count.arg(self.keys.stats()).arg("dropped_full").arg(jobs);
        let _: Result<(), _> = self.pool.query(OPERATION, Retry::Never, &count).await;
    }
}

#[async_trait]
impl JobQueue for RedisJobQueue {
    async fn enqueue(&self, envelope: &Envelope, payload: Bytes) -> Result<Enqueued, StoreError> {
        let push = self.checked(envelope, payload)?;
        if self.lacks_memory_for(envelope.bytes).await? {
            self.count_dropped(1).await;
            return Ok(Enqueued::DroppedForMemory);
        }
        let jobs = [push];
        let [push] = &jobs;
        // A job that waited may be claimed before its payload is replaced; then this one is pushed as a job of its own.
        for _ in 0..MAX_PUSHES {
            let waiting_id = match self.push(&jobs).await?.pop() {
                Some(Pushed::Ended(ended)) => return Ok(ended),
                Some(Pushed::Pending(waiting_id)) => waiting_id,
                None => return Err(StoreError::other(OPERATION, "there was no reply")),
            };
            if self.coalesce(push, &waiting_id).await? {
                return Ok(Enqueued::Coalesced);
            }
        }
        Err(StoreError::other(
            OPERATION,
            "its prefix comes and goes too fast",
        ))
    }

    async fn enqueue_all(&self, jobs: &[(Envelope, Bytes)]) -> Result<Vec<Enqueued>, StoreError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let pushes = jobs
            .iter()
            .map(|(envelope, payload)| self.checked(envelope, payload.clone()));
        let pushes: Vec<Push<'_>> = pushes.collect::<Result<_, _>>()?;
        let bytes = jobs.iter().map(|(envelope, _)| envelope.bytes).sum();
        if self.lacks_memory_for(bytes).await? {
            self.count_dropped(jobs.len()).await;
            return Ok(vec![Enqueued::DroppedForMemory; jobs.len()]);
        }
        let outcome = |pushed| match pushed {
            Pushed::Ended(ended) => ended,
            Pushed::Pending(_) => Enqueued::Coalesced,
        };
        Ok(self.push(&pushes).await?.into_iter().map(outcome).collect())
    }

    async fn withdraw(&self, envelope: &Envelope) -> Result<(), StoreError> {
        const OPERATION: &str = "withdraw a job";
        let element = element(envelope)?;
        let call = scripts::drop_job(&self.keys, element.as_bytes(), envelope);
        let was: String = self.pool.query(OPERATION, Retry::Once, &call).await?;
        if was != "gone" {
            return Ok(());
        }
        // Where a worker has the job, this tells it that nobody wants the result.
        let payload = self.keys.payload(&envelope.id);
        let mut mark = redis::cmd("SET");
        mark.arg(&payload).arg(WITHDRAWN).arg("XX");
        mark.arg("PX").arg(ms(self.bounds.payload_ttl));
        let marked: Result<Option<String>, _> =
            self.pool.query(OPERATION, Retry::Once, &mark).await;
        match marked {
            Err(full) if full.is_out_of_memory() => {
                let mut unlink = redis::cmd("UNLINK");
                unlink.arg(&payload);
                let _: u64 = self.pool.query(OPERATION, Retry::Once, &unlink).await?;
                Ok(())
            }
            marked => marked.map(drop),
        }
    }

    async fn drop_if_full(&self, is_refresh: bool) -> bool {
        if !self.dropped(is_refresh).load(Ordering::Relaxed) {
            return false;
        }
        let mut script = scripts::DROP_IF_FULL.key(self.keys.pushed_to(is_refresh));
        script.key(self.keys.stats()).arg(self.max_queue);
        let dropped = self.pool.query(OPERATION, Retry::Once, &script);
        dropped.await.unwrap_or(false)
    }

    async fn counts(&self) -> Result<(Depth, Totals), StoreError> {
        const OPERATION: &str = "count the queue's jobs";
        let mut first = redis::pipe();
        first
            .llen(self.keys.jobs())
            .llen(self.keys.refresh_jobs())
            .zcard(self.keys.delayed())
            .llen(self.keys.dead())
            .hgetall(self.keys.stats())
            .zrange(self.keys.workers(), 0, -1);
        let reply = self.pool.query(OPERATION, Retry::Once, &first);
        let (waiting, waiting_refresh, delayed, dead, stats, workers): CountsReply = reply.await?;
        let mut lengths = redis::pipe();
        for worker in &workers {
            lengths.llen(self.keys.active(worker));
        }
        let active: Vec<u64> = if workers.is_empty() {
            Vec::new()
        } else {
            self.pool.query(OPERATION, Retry::Once, &lengths).await?
        };
        let depth = Depth {
            waiting,
            waiting_refresh,
            active: active.iter().sum(),
            delayed,
            dead,
        };
        Ok((depth, totals(&stats)))
    }

    async fn capacity(&self) -> Result<Capacity, StoreError> {
        capacity::read(&self.pool, &self.keys).await
    }
}

/// The element of the queue that this envelope is.
fn element(envelope: &Envelope) -> Result<String, StoreError> {
    serde_json::to_string(envelope).map_err(|error| StoreError::other(OPERATION, error))
}

/// The counters by their names in the hash.
pub(super) fn totals(stats: &HashMap<String, i64>) -> Totals {
    let count = |name: &str| {
        stats
            .get(name)
            .map_or(0, |count| u64::try_from(*count).unwrap_or(0))
    };
    Totals {
        enqueued: count("enqueued"),
        coalesced: count("coalesced"),
        dropped_full: count("dropped_full"),
        done: count("done"),
        done_again: count("done_again"),
        retried: count("retried"),
        reaped: count("reaped"),
        dead: count("dead"),
    }
}
