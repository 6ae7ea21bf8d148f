//! What a test gives to a queue and sees of it.

use std::sync::Arc;
use std::time::Duration;

use headroom_shared::contract::job::Envelope;
use headroom_shared::contract::prefix::{CompressedPrefix, JobResult};
use headroom_shared::queue::{Element, Finished, Job, JobQueue, Loaded, WorkQueue};

use super::SOON;
use super::jobs::{job, json, prefix, refresh};
use super::over_redis::keys;
use crate::redis_server::RedisServer;
use crate::wait::until;

/// Offers the job with this number.
pub async fn offer(queue: &dyn JobQueue, number: u8, text: &str) -> Envelope {
    let (envelope, payload) = job(number, text);
    queue.enqueue(&envelope, json(&payload)).await.unwrap();
    envelope
}

/// Offers the refresh with this number.
pub async fn offer_refresh(queue: &dyn JobQueue, number: u8, text: &str) -> Envelope {
    let (envelope, payload) = refresh(number, text);
    queue.enqueue(&envelope, json(&payload)).await.unwrap();
    envelope
}

/// Takes the next job.
pub async fn claim(worker: &dyn WorkQueue) -> Arc<Job> {
    let claimed = worker.claim().await.unwrap();
    take(worker, claimed).await
}

/// Takes up the job that was claimed.
pub async fn take(worker: &dyn WorkQueue, claimed: Option<Element>) -> Arc<Job> {
    match worker.load(&claimed.unwrap()).await.unwrap() {
        Some(Loaded::Job(job)) => job,
        other => panic!("{other:?}"),
    }
}

/// Ends a job and claims no other.
pub async fn finish(worker: &dyn WorkQueue, job: &Job, result: &JobResult) -> Finished {
    let (finished, next) = worker.finish(job, result, false).await.unwrap();
    assert!(next.is_none());
    finished
}

/// Waits until so many jobs are done.
pub async fn done(queue: &dyn JobQueue, jobs: u64) {
    until("jobs are done", SOON, async || {
        queue.counts().await.unwrap().1.done >= jobs
    })
    .await;
}

/// Waits until so many jobs are held.
pub async fn held(queue: &dyn JobQueue, jobs: u64) {
    until("jobs are held", SOON, async || {
        queue.counts().await.unwrap().0.active == jobs
    })
    .await;
}

/// The compressed prefix with this number.
pub async fn stored(redis: &RedisServer, number: u8) -> Option<CompressedPrefix> {
    let key = keys().compressed(prefix(number));
    let json: Option<String> = redis.command(&["GET", &key]).await;
    json.map(|json| serde_json::from_str(&json).unwrap())
}

/// The entries of the dead list as they stand there, oldest first.
pub async fn buried(redis: &RedisServer) -> Vec<String> {
    let mut entries: Vec<String> = redis.command(&["LRANGE", "headroom:dead", "0", "-1"]).await;
    entries.reverse();
    entries
}

/// Puts an element into the queue as a hand would.
pub async fn push(redis: &RedisServer, element: &[u8]) {
    let push = [b"LPUSH".as_slice(), b"headroom:jobs", element];
    let _: u64 = redis.command(&push).await;
}

/// Nothing waits, nothing is held, nothing is left of counters.
pub async fn empty(redis: &RedisServer) {
    let (depth, _) = redis.counts().await;
    assert_eq!(depth.left(), 0, "{depth:?}");
    for left in ["headroom:pending:*", "headroom:job:*", "headroom:crashes"] {
        let left: Vec<String> = redis.command(&["KEYS", left]).await;
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Waits until a worker waits for a job.
pub async fn idle(redis: &RedisServer) {
    all_idle(redis, 1).await;
}

/// Waits until so many workers wait for a job.
pub async fn all_idle(redis: &RedisServer, workers: usize) {
    all_idle_within(SOON, redis, workers).await;
}

/// Waits until so many workers wait for a job, which they do before the limit has passed.
pub async fn all_idle_within(limit: Duration, redis: &RedisServer, workers: usize) {
    until("workers wait for a job", limit, async || {
        let clients: String = redis.command(&["CLIENT", "LIST"]).await;
        clients.matches("flags=b").count() >= workers
    })
    .await;
}
