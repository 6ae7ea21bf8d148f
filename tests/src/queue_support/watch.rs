//! What a test sees of a queue over Redis.

use headroom_shared::prefix::CompressedPrefix;
use headroom_shared::queue::JobQueue;

use super::jobs::{job, prefix};
use super::server::{RedisServer, keys};
use super::{SOON, until};

/// Offers the job with this number.
pub async fn offer(queue: &dyn JobQueue, number: u8, text: &str) {
    let (envelope, payload) = job(number, text);
    queue.enqueue(&envelope, &payload).await.unwrap();
}

/// Waits until so many jobs are done.
pub async fn done(redis: &RedisServer, jobs: u64) {
    until("jobs done", SOON, async || {
        redis.counts().await.1.done >= jobs
    })
    .await;
}

/// Waits until so many jobs are held.
pub async fn held(redis: &RedisServer, jobs: u64) {
    until("jobs held", SOON, async || {
        redis.counts().await.0.active == jobs
    })
    .await;
}

/// The compressed prefix with this number.
pub async fn stored(redis: &RedisServer, number: u8) -> Option<CompressedPrefix> {
    let key = keys().compressed(prefix(number));
    let json: Option<String> = redis.run(&format!("GET {key}")).await;
    json.map(|json| serde_json::from_str(&json).unwrap())
}

/// Nothing waits, nothing is held, nothing is left of counters.
pub async fn empty(redis: &RedisServer) {
    let (depth, _) = redis.counts().await;
    assert_eq!((depth.waiting, depth.active, depth.delayed), (0, 0, 0));
    for left in ["headroom:pending:*", "headroom:job:*", "headroom:crashes"] {
        let left: Vec<String> = redis.run(&format!("KEYS {left}")).await;
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Waits until a worker waits for a job.
pub async fn idle(redis: &RedisServer) {
    until("a worker waits for a job", SOON, async || {
        let clients: String = redis.run("CLIENT LIST").await;
        clients.contains("flags=b")
    })
    .await;
}
