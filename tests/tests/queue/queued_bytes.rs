//! The count of text that the queue's bound is for: that of the jobs which wait, are in work or delayed, whatever happened to them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use headroom_shared::contract::job::Envelope;
use headroom_shared::queue::redis::RedisWorkQueue;
use headroom_shared::queue::{AdminQueue as _, Enqueued, JobQueue, Timing, WorkQueue};
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::{TEXT, job, json, result};
use headroom_tests::queue::over_redis::{bounds, keys};
use headroom_tests::queue::watch::{claim, finish, offer};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;

fn quick() -> Timing {
    Timing {
        claim_wait: Duration::from_millis(200),
        stale_after: Duration::from_millis(100),
        first_retry_delay: Duration::from_millis(1),
        ..Timing::default()
    }
}

async fn worker(redis: &RedisServer) -> std::sync::Arc<RedisWorkQueue> {
    let worker = redis.worker(quick());
    worker.register().await.unwrap();
    worker
}

/// The count, as it stands in Redis and as the operator sees it.
async fn counted(redis: &RedisServer) -> i64 {
    let count: Option<i64> = redis
        .command(&["HGET", "headroom:stats", "queued_bytes"])
        .await;
    let count = count.unwrap_or(0);
    let status = redis.operator().status().await.unwrap();
    assert_eq!(i64::try_from(status.queued_bytes), Ok(count));
    count
}

fn bytes(jobs: &[&Envelope]) -> i64 {
    jobs.iter().map(|job| job.bytes as i64).sum()
}

#[tokio::test]
async fn it_is_exact_while_jobs_are_in_work_and_none_waits() {
    let redis = RedisServer::start().await;
    let (producer, worker) = (redis.producer(10), worker(&redis).await);
    let first = offer(&producer, 1, TEXT).await;
    let held = claim(&*worker).await;
    assert_eq!(counted(&redis).await, bytes(&[&first]));
    let second = offer(&producer, 2, &TEXT.repeat(2)).await;
    assert_eq!(counted(&redis).await, bytes(&[&first, &second]));
    finish(&*worker, &held, &result(&held.payload)).await;
    assert_eq!(counted(&redis).await, bytes(&[&second]));
    let held = claim(&*worker).await;
    // The same job runs twice: its text counts once.
    let again = finish(&*worker, &held, &result(&held.payload)).await;
    let twice = finish(&*worker, &held, &result(&held.payload)).await;
    assert_ne!(again, twice);
    assert_eq!(counted(&redis).await, 0);
}

#[tokio::test]
async fn every_way_out_of_the_queue_counts_once() {
    let redis = RedisServer::start().await;
    let (producer, worker) = (redis.producer(10), worker(&redis).await);
    let operator = redis.operator();
    let stays = offer(&producer, 9, TEXT).await;
    let only = bytes(&[&stays]);
    // One at a time, before the one that stays: it is claimed from the front.
    let front = async |number: u8| {
        let envelope = offer(&producer, number, TEXT).await;
        let _: String = redis
            .command(&["LMOVE", "headroom:jobs", "headroom:jobs", "LEFT", "RIGHT"])
            .await;
        assert_eq!(counted(&redis).await, only + bytes(&[&envelope]));
        envelope
    };
    let dropped = front(1).await;
    operator.drop_job(&dropped.id).await.unwrap();
    assert_eq!(counted(&redis).await, only);

    let delayed = front(2).await;
    worker
        .retry(&*claim(&*worker).await, "passing")
        .await
        .unwrap();
    assert_eq!(counted(&redis).await, only + bytes(&[&delayed]));
    operator.drop_job(&delayed.id).await.unwrap();
    assert_eq!(counted(&redis).await, only);

    let buried = front(3).await;
    let element = worker.claim().await.unwrap().unwrap();
    worker.dead_letter(&element, "x").await.unwrap();
    assert_eq!(counted(&redis).await, only);
    operator.replay(&buried.id).await.unwrap();
    assert_eq!(counted(&redis).await, only + bytes(&[&buried]));
    operator.drop_job(&buried.id).await.unwrap();
    assert_eq!(counted(&redis).await, only);

    // Its payload is gone: the job counts until a worker has buried it.
    let gone = front(4).await;
    let payload = keys().payload(&gone.id);
    let _: bool = redis.command(&["PEXPIRE", &payload, "1"]).await;
    until("it has expired", SOON, async || {
        redis.command::<u64>(&["EXISTS", &payload]).await == 0
    })
    .await;
    let element = worker.claim().await.unwrap().unwrap();
    assert_eq!(counted(&redis).await, only + bytes(&[&gone]));
    worker
        .dead_letter(&element, "its payload is gone")
        .await
        .unwrap();
    operator.replay(&gone.id).await.unwrap();
    assert_eq!(counted(&redis).await, only);
}

#[tokio::test]
async fn a_job_counts_until_its_last_attempt() {
    let redis = RedisServer::start().await;
    let (producer, worker) = (redis.producer(10), worker(&redis).await);
    let fails = offer(&producer, 1, TEXT).await;
    let stays = offer(&producer, 2, TEXT).await;
    let only = bytes(&[&stays]);
    assert_eq!(counted(&redis).await, only + bytes(&[&fails]));
    for _ in 0..bounds().max_attempts {
        let held = claim(&*worker).await;
        if held.envelope.id == stays.id {
            worker.release(&held.element).await.unwrap();
        } else {
            worker.retry(&held, "passing").await.unwrap();
        }
        until("it is due", SOON, async || {
            worker.reap().await.unwrap();
            let delayed: u64 = redis.command(&["ZCARD", "headroom:delayed"]).await;
            delayed == 0
        })
        .await;
        let _: String = redis
            .command(&["LMOVE", "headroom:jobs", "headroom:jobs", "LEFT", "RIGHT"])
            .await;
    }
    assert_eq!(counted(&redis).await, only);
    assert_eq!(redis.counts().await.0.dead, 1);
}

#[tokio::test]
async fn a_dead_worker_s_jobs_count_until_they_are_given_up() {
    let redis = RedisServer::start().await;
    let (producer, reaper) = (redis.producer(10), worker(&redis).await);
    let lost = offer(&producer, 1, TEXT).await;
    for death in 1..=bounds().max_worker_deaths {
        let dies = worker(&redis).await;
        claim(&*dies).await;
        until("it is reaped", SOON, async || {
            let reaped = reaper.reap().await.unwrap();
            reaped.reaped + reaped.dead_lettered == 1
        })
        .await;
        let left = if death == bounds().max_worker_deaths {
            0
        } else {
            bytes(&[&lost])
        };
        assert_eq!(counted(&redis).await, left, "after {death} deaths");
    }
}

#[tokio::test]
async fn what_hands_have_changed_is_repaired_by_any_worker() {
    let redis = RedisServer::start().await;
    let (producer, worker) = (redis.producer(10), worker(&redis).await);
    let other = self::worker(&redis).await;
    let held = offer(&producer, 1, TEXT).await;
    claim(&*other).await;
    offer(&producer, 2, TEXT).await;
    let _: u64 = redis.command(&["DEL", "headroom:jobs"]).await;
    let waiting = offer(&producer, 3, TEXT).await;
    let junk = "[".repeat(100_000);
    let _: u64 = redis.command(&["LPUSH", "headroom:jobs", &junk]).await;
    let right = bytes(&[&held, &waiting]);
    for wrong in ["-3", "99999999999", "no number"] {
        let write = ["HSET", "headroom:stats", "queued_bytes", wrong];
        let _: u64 = redis.command(&write).await;
        until("it is repaired", SOON, async || {
            other.heartbeat().await.unwrap();
            worker.reap().await.unwrap();
            let count: String = redis
                .command(&["HGET", "headroom:stats", "queued_bytes"])
                .await;
            count == right.to_string()
        })
        .await;
    }
    // A job that was pushed by hand never counted; its end does not make the count too small for long, and never negative.
    let (by_hand, _) = job(4, TEXT);
    let element = serde_json::to_string(&by_hand).unwrap();
    let _: u64 = redis.command(&["RPUSH", "headroom:jobs", &element]).await;
    let _: u64 = redis
        .command(&["HSET", "headroom:stats", "queued_bytes", "1"])
        .await;
    let element = worker.claim().await.unwrap().unwrap();
    worker.dead_letter(&element, "x").await.unwrap();
    assert_eq!(counted(&redis).await, 0);
    worker.reap().await.unwrap();
    assert_eq!(counted(&redis).await, right);
}

#[tokio::test]
async fn the_bound_counts_jobs_in_work() {
    let redis = RedisServer::start().await;
    let (producer, worker) = (redis.producer(10), worker(&redis).await);
    let large = |number| {
        let (mut envelope, payload) = job(number, TEXT);
        envelope.bytes = bounds().max_queued_bytes - 1;
        (envelope, json(&payload))
    };
    let (envelope, payload) = large(1);
    producer.enqueue(&envelope, payload).await.unwrap();
    let held = claim(&*worker).await;
    // Whatever is in work, one may wait.
    let small = offer(&producer, 2, TEXT).await;
    let (envelope, payload) = large(3);
    let enqueued = producer.enqueue(&envelope, payload).await.unwrap();
    assert_eq!(enqueued, Enqueued::DroppedFull);
    finish(&*worker, &held, &result(&held.payload)).await;
    assert_eq!(counted(&redis).await, bytes(&[&small]));
    assert_eq!(
        producer.enqueue(&large(3).0, large(3).1).await.unwrap(),
        Enqueued::DroppedFull,
        "a byte too many beside the small one"
    );
}
