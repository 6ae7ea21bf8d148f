//! Which workers are alive, and how much they have to do: what a producer asks before it lets a request wait for them.

use std::collections::HashMap;

use super::admin::score_ms;
use crate::contract::keys::Keys;
use crate::queue::limits::ms;
use crate::queue::{Capacity, Timing, WorkerInfo};
use crate::redis::{RedisPool, Retry};
use crate::store::StoreError;

/// The time by Redis's clock in seconds and microseconds, each worker's last heartbeat, each worker's description, whether the queue is paused,
/// and the bytes of text in its jobs.
type Reply = (
    (u64, u64),
    Vec<(String, f64)>,
    HashMap<String, Vec<u8>>,
    bool,
    Option<String>,
);

/// Reads the threads of the workers that are alive, and how much text is queued, in one round trip.
pub(super) async fn read(pool: &RedisPool, keys: &Keys) -> Result<Capacity, StoreError> {
    let mut commands = redis::pipe();
    commands
        .cmd("TIME")
        .zrange_withscores(keys.workers(), 0, -1)
        .hgetall(keys.worker_info())
        .exists(keys.paused())
        .hget(keys.stats(), "queued_bytes");
    let reply = pool.query("read the workers' capacity", Retry::Once, &commands);
    let ((seconds, micros), heartbeats, infos, paused, queued_bytes): Reply = reply.await?;
    let now_ms = seconds.saturating_mul(1000) + micros / 1000;
    let stale_ms = ms(Timing::default().stale_after);
    let is_alive = |heartbeat: f64| now_ms.saturating_sub(score_ms(heartbeat)) < stale_ms;
    let alive = heartbeats.iter().filter(|(_, at)| is_alive(*at));
    let threads = alive.map(|(worker, _)| infos.get(worker).map_or(1, |info| threads(info)));
    Ok(Capacity {
        threads: if paused { 0 } else { threads.sum() },
        queued_bytes: queued_bytes
            .and_then(|bytes| bytes.parse().ok())
            .unwrap_or(0),
    })
}

/// The threads of the worker that this describes: none of one that is about to end, one of one that can't be read.
fn threads(info: &[u8]) -> u64 {
    match serde_json::from_slice::<WorkerInfo>(info) {
        Ok(info) if info.ending.is_some() => 0,
        Ok(info) => info.threads as u64,
        Err(_) => 1,
    }
}
