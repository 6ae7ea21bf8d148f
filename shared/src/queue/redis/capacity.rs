//! Which workers are alive, whether they have a model, and how much they have to do: what a producer asks before it leaves something to them.

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
    let alive = alive.map(|(worker, _)| infos.get(worker).and_then(|info| described(info)));
    let alive: Vec<_> = alive.collect();
    let threads = alive.iter().map(|info| info.as_ref().map_or(1, threads));
    let mut known = alive.iter().flatten();
    Ok(Capacity {
        threads: if paused { 0 } else { threads.sum() },
        has_model: known.any(|info| info.ending.is_none() && info.model.is_some()),
        queued_bytes: queued_bytes
            .and_then(|bytes| bytes.parse().ok())
            .unwrap_or(0),
    })
}

/// The worker that this describes; `None` where it can't be read.
fn described(info: &[u8]) -> Option<WorkerInfo> {
    serde_json::from_slice(info).ok()
}

/// The threads of a worker: none of one that is about to end.
const fn threads(info: &WorkerInfo) -> u64 {
    if info.ending.is_some() {
        0
    } else {
        info.threads as u64
    }
}
