//! The producer's side over Redis.

use std::collections::HashMap;

use async_trait::async_trait;
use deadpool_redis::Pool;

use super::connect::get;
use super::scripts;
use crate::job::{Envelope, Payload};
use crate::keys::Keys;
use crate::queue::limits::ms;
use crate::queue::{Bounds, Depth, Enqueued, JobQueue, Totals};
use crate::store::StoreError;

/// The queue as the proxy sees it.
#[derive(Debug)]
pub struct RedisQueue {
    pool: Pool,
    keys: Keys,
    max_queue: u64,
    bounds: Bounds,
}

impl RedisQueue {
    /// The queue under these keys, where at most `max_queue` jobs may wait (0: none is taken).
    #[must_use]
    pub const fn new(pool: Pool, keys: Keys, max_queue: u64, bounds: Bounds) -> Self {
        Self {
            pool,
            keys,
            max_queue,
            bounds,
        }
    }
}

#[async_trait]
impl JobQueue for RedisQueue {
    async fn enqueue(
        &self,
        envelope: &Envelope,
        payload: &Payload,
    ) -> Result<Enqueued, StoreError> {
        const WHAT: &str = "enqueue a job";
        let line =
            serde_json::to_string(envelope).map_err(|error| StoreError::other(WHAT, error))?;
        if line.len() > self.bounds.envelope_bytes {
            return Err(StoreError::other(WHAT, "its envelope is too long"));
        }
        let payload =
            serde_json::to_vec(payload).map_err(|error| StoreError::other(WHAT, error))?;
        let mut connection = get(&self.pool, WHAT).await?;
        let became: u32 = scripts::ENQUEUE
            .key(self.keys.jobs())
            .key(self.keys.pending(envelope.prefix))
            .key(self.keys.payload(envelope.prefix))
            .key(self.keys.stats())
            .arg(line)
            .arg(&envelope.id)
            .arg(payload)
            .arg(self.max_queue)
            .arg(ms(self.bounds.payloads_live))
            .arg(ms(self.bounds.pending_lives))
            .invoke_async(&mut connection)
            .await
            .map_err(|error| StoreError::redis(WHAT, error))?;
        Ok(match became {
            0 => Enqueued::Queued,
            1 => Enqueued::Coalesced,
            _ => Enqueued::DroppedFull,
        })
    }

    async fn counts(&self) -> Result<(Depth, Totals), StoreError> {
        const WHAT: &str = "count the queue's jobs";
        let failed = |error| StoreError::redis(WHAT, error);
        let mut connection = get(&self.pool, WHAT).await?;
        let (waiting, delayed, dead, stats, workers): (_, _, _, HashMap<String, u64>, Vec<String>) =
            redis::pipe()
                .llen(self.keys.jobs())
                .zcard(self.keys.delayed())
                .llen(self.keys.dead())
                .hgetall(self.keys.stats())
                .zrange(self.keys.workers(), 0, -1)
                .query_async(&mut connection)
                .await
                .map_err(failed)?;
        let mut lengths = redis::pipe();
        for worker in &workers {
            lengths.llen(self.keys.active(worker));
        }
        let active: Vec<u64> = if workers.is_empty() {
            Vec::new()
        } else {
            lengths.query_async(&mut connection).await.map_err(failed)?
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

fn totals(stats: &HashMap<String, u64>) -> Totals {
    let count = |name: &str| stats.get(name).copied().unwrap_or(0);
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
