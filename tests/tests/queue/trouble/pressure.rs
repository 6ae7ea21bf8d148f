//! A Redis whose memory runs out: large jobs are dropped in time, requests flow, and all is well again when there is room.

use std::sync::atomic::{AtomicU32, Ordering};

use headroom_shared::queue::{Enqueued, JobQueue};
use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::is_deferred;
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::{TEXT, job, json};
use headroom_tests::queue::over_redis::bounds;
use headroom_tests::queue::watch::{empty, stored};
use headroom_tests::queue::workers::{Latch, quick};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::stage::Stage;
use headroom_tests::wait::until;

use super::{ready, worker};

#[tokio::test]
async fn a_redis_that_is_nearly_full_takes_small_jobs_only() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let large = |number| {
        let text = "x".repeat(usize::try_from(bounds().large_job_bytes).unwrap());
        job(number, &text)
    };
    let offer =
        async |(envelope, payload)| producer.enqueue(&envelope, json(&payload)).await.unwrap();
    redis.limit_memory(115).await;
    assert_eq!(offer(large(1)).await, Enqueued::DroppedForMemory);
    assert_eq!(offer(job(2, TEXT)).await, Enqueued::Queued);
    redis.limit_memory(0).await;
    // The reading is a second old at most.
    until("there is room again", SOON, async || {
        offer(large(1)).await == Enqueued::Queued
    })
    .await;
    assert!(redis.counts().await.1.dropped_full >= 1);
}

async fn stage() -> Stage {
    let stage = Stage::over(RedisServer::start().await, |launch| {
        launch
            .patient()
            .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000)
    })
    .await;
    stage.provider.cache(|cache| cache.turn_off());
    stage
}

fn cold_start(id: &str) -> Client {
    let conversation = Conversation::new(Dialect::Messages, id).user(&format!("Read {id}."));
    let conversation = (0..4).fold(conversation, |it, seed| it.reads(seed, 20_000));
    Client::uncached(conversation.assistant("Done.").user("Go on."))
}

#[tokio::test]
async fn the_proxy_says_once_that_redis_is_nearly_full_and_once_that_it_is_not() {
    let mut stage = stage().await;
    // Redis loads the queue's script with the first job.
    let (envelope, payload) = job(0, TEXT);
    let producer = stage.redis().producer(10);
    producer.enqueue(&envelope, json(&payload)).await.unwrap();
    // Room for the records, their script, and the counts.
    stage.redis().limit_memory(122).await;
    for id in ["first", "second", "third"] {
        cold_start(id).turn(&stage).await;
    }
    stage
        .until("three are dropped", |stats| stats["jobs"]["dropped"] == 3)
        .await;
    stage.redis().limit_memory(0).await;
    let number = AtomicU32::new(0);
    until("another is taken", SOON, async || {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let mut client = cold_start(&format!("later {number}"));
        client.turn(&stage).await;
        stage.stats().await["jobs"]["enqueued"].as_u64() > Some(1)
    })
    .await;
    stage.proxy().logged("Redis has room again", 1).await;
    let log = stage.proxy().whole_log().await;
    assert_eq!(log.matches("large jobs are dropped").count(), 1, "{log}");
    assert_eq!(log.matches("Redis has room again").count(), 1, "{log}");
}

#[tokio::test]
async fn requests_flow_and_workers_finish_while_redis_is_full() {
    let stage = stage().await;
    let redis = stage.redis();
    let producer = redis.producer(10);
    let latch = Latch::closed();
    let (envelope, payload) = job(1, &latch.job());
    producer.enqueue(&envelope, json(&payload)).await.unwrap();
    let worker = worker(redis, 1).await;
    until("it is in work", SOON, async || latch.is_waited_for()).await;
    redis.limit_memory(50).await;
    // Each turn is checked: what the provider gets is the client's, byte for byte, or forms that may stand there.
    let mut sessions = [cold_start("full"), cold_start("other")];
    for client in &mut sessions {
        assert_ne!(client.turn(&stage).await.decision, "compressed");
    }
    latch.open();
    stage.until_done(1).await;
    redis.limit_memory(0).await;
    ready(&worker, 200).await;
    let mut fresh = cold_start("fresh");
    assert!(is_deferred(&fresh.turn(&stage).await.decision));
    stage.until_done(2).await;
    fresh.until_compressed(&stage).await;
    empty(redis).await;
}

#[tokio::test]
async fn idle_workers_claim_from_a_full_redis_what_frees_its_memory() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    for number in 1..=3 {
        let (envelope, payload) = job(number, TEXT);
        producer.enqueue(&envelope, json(&payload)).await.unwrap();
    }
    redis.limit_memory(50).await;
    let _worker = quick(&redis, 1).spawn();
    stored_all(&redis, 3).await;
    empty(&redis).await;
}

/// Waits until so many prefixes have their results.
async fn stored_all(redis: &RedisServer, prefixes: u8) {
    until("all are done", SOON, async || {
        for number in 1..=prefixes {
            if stored(redis, number).await.is_none() {
                return false;
            }
        }
        true
    })
    .await;
}
