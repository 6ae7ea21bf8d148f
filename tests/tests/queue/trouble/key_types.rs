//! Keys of ours that something else has written with another type: the worker waits for somebody to mend it, says so once,
//! and goes on by itself.

use std::time::{Duration, Instant};

use headroom_tests::process::Process;
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::TEXT;
use headroom_tests::queue::watch::{offer, stored};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;

use super::{ready, worker};

/// How many commands Redis has refused because of a key's type.
async fn refused(redis: &RedisServer) -> u64 {
    let stats: String = redis.command(&["INFO", "errorstats"]).await;
    let count = stats
        .lines()
        .find_map(|line| line.strip_prefix("errorstat_WRONGTYPE:count="));
    count.map_or(0, |count| count.trim().parse().unwrap())
}

/// A key of another type stops the worker without making it spin, and its end lets it go on.
async fn is_waited_for(redis: &RedisServer, worker: &mut Process, key: &str) {
    let reason = ready(worker, 503).await;
    assert!(reason.contains("WRONGTYPE"), "{key}: {reason}");
    let (before, since) = (refused(redis).await, Instant::now());
    until("a second has passed", SOON, async || {
        since.elapsed() > Duration::from_secs(1)
    })
    .await;
    // Attempts of a few actors, each with growing waits between them.
    let attempts = refused(redis).await - before;
    assert!(attempts < 30, "{key}: {attempts} attempts in a second");
    let _: u64 = redis.command(&["DEL", key]).await;
    assert_eq!(ready(worker, 200).await, "ok\n", "{key}");
    assert!(!worker.has_ended());
}

#[tokio::test]
async fn a_key_of_another_type_is_waited_for_and_said_once() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let mut worker = worker(&redis, 2).await;
    let workers: Vec<String> = redis
        .command(&["ZRANGE", "headroom:workers", "0", "-1"])
        .await;
    let active = format!("headroom:active:{}", workers[0]);
    let names = [
        "headroom:jobs",
        "headroom:jobs:refresh",
        "headroom:workers",
        "headroom:worker-info",
        "headroom:delayed",
        &active,
    ];
    for (key, number) in names.into_iter().zip(1..) {
        let _: () = redis.command(&["SET", key, "not ours"]).await;
        is_waited_for(&redis, &mut worker, key).await;
        offer(&producer, number, TEXT).await;
        until("it works again", SOON, async || {
            stored(&redis, number).await.is_some()
        })
        .await;
    }
    let trouble = "the queue is in trouble";
    worker.logged(trouble, names.len()).await;
    let log = worker.whole_log().await;
    let troubles = log.matches(trouble).count();
    assert_eq!(troubles, names.len(), "{log}");
}

/// These are met in the middle of a job, which none of them fails.
#[tokio::test]
async fn a_counter_of_another_type_holds_nothing_up() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let worker = worker(&redis, 1).await;
    for (key, number) in ["headroom:stats", "headroom:crashes", "headroom:attempts"]
        .into_iter()
        .zip(1..)
    {
        let _: u64 = redis.command(&["DEL", key]).await;
        let _: u64 = redis.command(&["LPUSH", key, "not ours"]).await;
        offer(&producer, number, TEXT).await;
        until("it is done", SOON, async || {
            stored(&redis, number).await.is_some()
        })
        .await;
        let _: u64 = redis.command(&["DEL", key]).await;
    }
    assert_eq!(ready(&worker, 200).await, "ok\n");
    let depth = redis.counts().await.0;
    assert_eq!((depth.active, depth.delayed, depth.dead), (0, 0, 0));
}

#[tokio::test]
async fn a_pause_is_a_pause_whatever_is_written_there() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let _: u64 = redis.command(&["LPUSH", "headroom:paused", "please"]).await;
    let worker = worker(&redis, 1).await;
    offer(&producer, 1, TEXT).await;
    assert_eq!(ready(&worker, 200).await, "ok\n");
    let depth = redis.counts().await.0;
    assert_eq!((depth.waiting, depth.active), (1, 0));
    let _: u64 = redis.command(&["DEL", "headroom:paused"]).await;
    until("it is done", SOON, async || {
        stored(&redis, 1).await.is_some()
    })
    .await;
}
