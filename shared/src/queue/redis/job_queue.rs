//! The producer's side over Redis.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::memory::MemoryUsage;
use super::scripts;
use crate::contract::job::Envelope;
use crate::contract::keys::Keys;
use crate::queue::limits::ms;
use crate::queue::{Bounds, Depth, Enqueued, JobQueue, Totals};
use crate::redis::RedisPool;
use crate::store::StoreError;

const OPERATION: &str = "enqueue a job";

/// The queue as the proxy sees it.
#[derive(Debug)]
pub struct RedisJobQueue {
    pool: Arc<RedisPool>,
    keys: Keys,
    max_queue: u64,
    bounds: Bounds,
    memory: MemoryUsage,
    /// Whether the last offer was dropped.
    dropped: AtomicBool,
}

impl RedisJobQueue {
    /// The queue under these keys, where at most `max_queue` jobs may wait (0: none is taken).
    #[must_use]
    pub fn new(pool: Arc<RedisPool>, keys: Keys, max_queue: u64, bounds: Bounds) -> Self {
        Self {
            pool,
            keys,
            max_queue,
            bounds,
            memory: MemoryUsage::default(),
            dropped: AtomicBool::new(false),
        }
    }
}

/// How often a job is offered again that was about to replace one just claimed.
const OFFERS: usize = 3;

/// A job as it goes over the wire.
struct Offer<'a> {
    envelope: &'a Envelope,
    line: String,
    payload: Bytes,
}

/// What became of an offer.
enum Became {
    Ended(Enqueued),
    /// The envelope with this id waits for the same prefix.
    Pending(String),
}

impl RedisJobQueue {
    async fn offer(&self, offer: &Offer<'_>) -> Result<Became, StoreError> {
        let Offer {
            envelope,
            line,
            payload,
        } = offer;
        let keys = [
            self.keys.jobs(),
            self.keys.pending(envelope.prefix),
            self.keys.payload(&envelope.id),
            self.keys.stats(),
        ];
        let numbers = [
            self.max_queue,
            ms(self.bounds.payload_ttl),
            ms(self.bounds.pending_ttl),
            envelope.bytes,
            self.bounds.max_queued_bytes,
        ]
        .map(|number| number.to_string());
        let mut args = vec![line.as_bytes(), envelope.id.as_bytes(), payload];
        args.extend(numbers.iter().map(String::as_bytes));
        let script = &*scripts::ENQUEUE;
        let commands = scripts::pipeline(script, &keys, &args);
        let (became,): (Vec<String>,) =
            self.pool.run_pipeline(OPERATION, script, &commands).await?;
        let became = match became.as_slice() {
            [queued] if queued == "queued" => Became::Ended(Enqueued::Queued),
            [_, waits] => Became::Pending(waits.clone()),
            _ => Became::Ended(Enqueued::DroppedFull),
        };
        let dropped = matches!(became, Became::Ended(Enqueued::DroppedFull));
        self.dropped.store(dropped, Ordering::Relaxed);
        Ok(became)
    }

    /// Replaces the payload of the job that waits; whether it still waited.
    async fn coalesce(&self, offer: &Offer<'_>, waits: &str) -> Result<bool, StoreError> {
        let keys = [
            self.keys.pending(offer.envelope.prefix),
            self.keys.payload(waits),
            self.keys.stats(),
        ];
        let life = ms(self.bounds.payload_ttl).to_string();
        let args = [waits.as_bytes(), &offer.payload, life.as_bytes()];
        let script = &*scripts::COALESCE;
        let commands = scripts::pipeline(script, &keys, &args);
        let (waited,) = self.pool.run_pipeline(OPERATION, script, &commands).await?;
        Ok(waited)
    }

    /// Counts a job that is not even offered, unless Redis is too full for that too.
    async fn drop_unoffered(&self) -> Enqueued {
        let stats = self.keys.stats();
        let count = async |mut connection| {
            redis::cmd("HINCRBY")
                .arg(stats)
                .arg("dropped_full")
                .arg(1)
                .exec_async(&mut connection)
                .await
        };
        let _ = self.pool.call(OPERATION, count).await;
        Enqueued::DroppedFull
    }
}

#[async_trait]
impl JobQueue for RedisJobQueue {
    async fn enqueue(&self, envelope: &Envelope, payload: Bytes) -> Result<Enqueued, StoreError> {
        let line =
            serde_json::to_string(envelope).map_err(|error| StoreError::other(OPERATION, error))?;
        if line.len() > self.bounds.max_envelope_bytes {
            return Err(StoreError::other(OPERATION, "its envelope is too long"));
        }
        if envelope.bytes >= self.bounds.large_job_bytes
            && self
                .memory
                .is_above(&self.pool, self.bounds.max_memory_percent)
                .await?
        {
            return Ok(self.drop_unoffered().await);
        }
        let offer = Offer {
            envelope,
            line,
            payload,
        };
        // A job that waited may be claimed while its payload is being replaced; then the offer stands for itself.
        for _ in 0..OFFERS {
            let waits = match self.offer(&offer).await? {
                Became::Ended(ended) => return Ok(ended),
                Became::Pending(waits) => waits,
            };
            if self.coalesce(&offer, &waits).await? {
                return Ok(Enqueued::Coalesced);
            }
        }
        Err(StoreError::other(
            OPERATION,
            "its prefix comes and goes too fast",
        ))
    }

    async fn drop_if_full(&self) -> bool {
        if !self.dropped.load(Ordering::Relaxed) {
            return false;
        }
        let mut script = scripts::DROP_IF_FULL.key(self.keys.jobs());
        script.key(self.keys.stats()).arg(self.max_queue);
        let turned_away: Result<bool, StoreError> = self.pool.run(OPERATION, &script).await;
        turned_away.unwrap_or(false)
    }

    async fn counts(&self) -> Result<(Depth, Totals), StoreError> {
        const OPERATION: &str = "count the queue's jobs";
        let mut first = redis::pipe();
        first
            .llen(self.keys.jobs())
            .zcard(self.keys.delayed())
            .llen(self.keys.dead())
            .hgetall(self.keys.stats())
            .zrange(self.keys.workers(), 0, -1);
        let first = &first;
        let (waiting, delayed, dead, stats, workers): (_, _, _, HashMap<String, i64>, Vec<String>) =
            self.pool
                .repeat(OPERATION, |mut connection| async move {
                    first.query_async(&mut connection).await
                })
                .await?;
        let mut lengths = redis::pipe();
        for worker in &workers {
            lengths.llen(self.keys.active(worker));
        }
        let active: Vec<u64> = if workers.is_empty() {
            Vec::new()
        } else {
            let lengths = &lengths;
            self.pool
                .repeat(OPERATION, |mut connection| async move {
                    lengths.query_async(&mut connection).await
                })
                .await?
        };
        let depth = Depth {
            waiting,
            active: active.iter().sum(),
            delayed,
            dead,
        };
        Ok((depth, totals(&stats)))
    }
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
