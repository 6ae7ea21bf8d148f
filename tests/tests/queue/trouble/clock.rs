//! A clock that jumps. Redis's own can't be set from outside, but what a jump does to the queue can be written: heartbeats
//! that are suddenly old, and envelopes of another time.

use headroom_shared::contract::job::Envelope;
use headroom_shared::queue::JobQueue as _;
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::{TEXT, job, json, prefix, result};
use headroom_tests::queue::over_redis::keys;
use headroom_tests::queue::watch::{done, empty, held, idle, offer, stored};
use headroom_tests::queue::workers::{Latch, quick};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;

/// The workers that are known.
async fn known(redis: &RedisServer) -> Vec<String> {
    redis
        .command(&["ZRANGE", "headroom:workers", "0", "-1"])
        .await
}

/// What Redis's clock jumping forward by `ms` makes of the heartbeats before it.
async fn jump_forward(redis: &RedisServer, ms: i64) {
    for worker in known(redis).await {
        let by = (-ms).to_string();
        let _: f64 = redis
            .command(&["ZINCRBY", "headroom:workers", &by, &worker])
            .await;
    }
}

#[tokio::test]
async fn live_workers_that_a_jump_forward_makes_look_dead_go_on() {
    let hour = 3_600_000;
    for jump in [60_000, 25 * hour] {
        let redis = RedisServer::start().await;
        let producer = redis.producer(10);
        let latch = Latch::closed();
        let mut workers = [quick(&redis, 2).spawn(), quick(&redis, 2).spawn()];
        until("both are known", SOON, async || {
            known(&redis).await.len() == 2
        })
        .await;
        for number in 1..=4 {
            offer(&producer, number, &latch.job()).await;
        }
        held(&producer, 4).await;
        // Now and then, until a look for dead workers falls between the jump and the next heartbeat.
        until("a live worker is reaped", SOON, async || {
            jump_forward(&redis, jump).await;
            redis.counts().await.1.reaped > 0
        })
        .await;
        until("both are known again", SOON, async || {
            let described: u64 = redis.command(&["HLEN", "headroom:worker-info"]).await;
            known(&redis).await.len() == 2 && described == 2
        })
        .await;
        latch.open();
        until("nothing waits and nothing is held", SOON, async || {
            let (depth, totals) = redis.counts().await;
            totals.done >= 4 && depth.waiting + depth.active == 0
        })
        .await;
        for number in 1..=4 {
            let payload = job(number, &latch.job()).1;
            let made = result(&payload).compressed;
            assert_eq!(stored(&redis, number).await, Some(made));
        }
        assert_eq!(redis.counts().await.0.dead, 0);
        assert!(workers.iter_mut().all(|worker| !worker.has_ended()));
        offer(&producer, 9, TEXT).await;
        until("they take jobs as before", SOON, async || {
            stored(&redis, 9).await.is_some()
        })
        .await;
    }
}

#[tokio::test]
async fn a_jump_back_makes_no_live_worker_look_dead() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let latch = Latch::closed();
    let _workers = [quick(&redis, 1).spawn(), quick(&redis, 1).spawn()];
    until("both are known", SOON, async || {
        known(&redis).await.len() == 2
    })
    .await;
    offer(&producer, 1, &latch.job()).await;
    held(&producer, 1).await;
    jump_forward(&redis, -3_600_000).await;
    until("each has given its heartbeat anew", SOON, async || {
        let now: (u64, u64) = redis.command(&["TIME"]).await;
        let ms = (now.0 * 1000 + now.1 / 1000).to_string();
        let early: u64 = redis
            .command(&["ZCOUNT", "headroom:workers", "-inf", &ms])
            .await;
        early == 2
    })
    .await;
    latch.open();
    done(&producer, 1).await;
    let totals = redis.counts().await.1;
    assert_eq!((totals.reaped, totals.done_again), (0, 0));
    empty(&redis).await;
}

#[tokio::test]
async fn the_proxies_clocks_do_not_matter() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let _worker = quick(&redis, 1).spawn();
    idle(&redis).await;
    for (enqueued_ms, number) in [0, 1, u64::MAX].into_iter().zip(1..) {
        let (envelope, payload) = job(number, TEXT);
        let envelope = Envelope {
            enqueued_ms,
            ..envelope
        };
        producer.enqueue(&envelope, json(&payload)).await.unwrap();
        done(&producer, number.into()).await;
        let life: i64 = redis
            .command(&["PTTL", &keys().compressed(prefix(number))])
            .await;
        assert!(life > 0, "{life}");
    }
    empty(&redis).await;
}
