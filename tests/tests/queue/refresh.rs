//! Refreshes over Redis: jobs that wait in a list of their own until no other job does, with real workers and the operator's command.

use std::time::Duration;

use headroom_shared::queue::{Timing, WorkQueue};
use headroom_tests::queue::SOON;
use headroom_tests::queue::hand::registered;
use headroom_tests::queue::jobs::{TEXT, prefix, result};
use headroom_tests::queue::watch::{
    all_idle, claim, done, empty, held, idle, offer, offer_refresh, stored,
};
use headroom_tests::queue::workers::{Latch, quick, real, scripted};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;
use serde_json::json;

fn short_waits() -> Timing {
    Timing {
        claim_wait: Duration::from_millis(100),
        ..Timing::default()
    }
}

/// How many elements stand in the list of jobs, and in that of refreshes.
async fn lengths(redis: &RedisServer) -> (u64, u64) {
    let jobs = redis.command(&["LLEN", "headroom:jobs"]).await;
    let refreshes = redis.command(&["LLEN", "headroom:jobs:refresh"]).await;
    (jobs, refreshes)
}

/// Waits until a job has come to its latch.
async fn in_work(latch: &Latch) {
    until("it is in work", SOON, async || latch.is_waited_for()).await;
}

/// Has so many workers of one thread work on a job each while others come: a refresh, and then as many jobs as there are workers.
async fn a_refresh_runs_after_all_jobs_of(workers: usize) {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let _workers: Vec<_> = (0..workers).map(|_| scripted(&redis, 1).spawn()).collect();
    all_idle(&redis, workers).await;
    let latches = || -> Vec<Latch> { (0..workers).map(|_| Latch::closed()).collect() };
    let (first, then, last) = (latches(), latches(), Latch::closed());
    for (number, latch) in (1..).zip(&first) {
        offer(&producer, number, &latch.job()).await;
        in_work(latch).await;
    }
    offer_refresh(&producer, 99, &last.job()).await;
    for (number, latch) in (11..).zip(&then) {
        offer(&producer, number, &latch.job()).await;
    }
    assert_eq!(lengths(&redis).await, (workers as u64, 1));
    first.iter().for_each(Latch::open);
    for latch in &then {
        in_work(latch).await;
    }
    assert!(!last.is_waited_for());
    assert_eq!(lengths(&redis).await, (0, 1));
    then[0].open();
    in_work(&last).await;
    assert_eq!(lengths(&redis).await, (0, 0));
    last.open();
    then.iter().for_each(Latch::open);
    done(&producer, 2 * workers as u64 + 1).await;
    empty(&redis).await;
}

#[tokio::test]
async fn a_worker_runs_a_refresh_when_no_other_job_waits() {
    a_refresh_runs_after_all_jobs_of(1).await;
}

#[tokio::test]
async fn two_workers_run_a_refresh_when_no_other_job_waits() {
    a_refresh_runs_after_all_jobs_of(2).await;
}

#[tokio::test]
async fn a_refresh_that_comes_to_an_idle_worker_runs_after_its_wait() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let _worker = real(&redis, 2).spawn();
    idle(&redis).await;
    for number in 1..=3 {
        offer_refresh(&producer, number, TEXT).await;
    }
    done(&producer, 3).await;
    empty(&redis).await;
}

#[tokio::test]
async fn a_killed_workers_refresh_is_taken_back_and_run() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let latch = Latch::closed();
    offer_refresh(&producer, 1, &latch.job()).await;
    let mut first = quick(&redis, 1).spawn();
    in_work(&latch).await;
    held(&producer, 1).await;
    first.signal("KILL");
    first.ended(SOON).await;
    latch.open();
    let _second = quick(&redis, 1).spawn();
    done(&producer, 1).await;
    assert_eq!(redis.counts().await.1.reaped, 1);
    assert!(stored(&redis, 1).await.is_some());
    empty(&redis).await;
}

#[tokio::test]
async fn a_full_redis_gives_its_refreshes_out() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    for number in 1..=3 {
        offer_refresh(&producer, number, TEXT).await;
    }
    redis.limit_memory(50).await;
    let _worker = quick(&redis, 1).spawn();
    until("all are done", SOON, async || {
        stored(&redis, 1).await.is_some()
            && stored(&redis, 2).await.is_some()
            && stored(&redis, 3).await.is_some()
    })
    .await;
    empty(&redis).await;
}

#[tokio::test]
async fn a_pause_stops_refreshes_too() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let worker = redis.worker(short_waits());
    worker.register().await.unwrap();
    offer(&producer, 1, TEXT).await;
    let running = claim(&*worker).await;
    let refresh = offer_refresh(&producer, 2, TEXT).await;
    redis.queue_text("pause").await;
    let made = result(&running.payload);
    let (_, next) = worker.finish(&running, &made, true).await.unwrap();
    assert_eq!(next, None);
    // Another worker does not know of the pause.
    let other = redis.worker(short_waits());
    other.register().await.unwrap();
    for paused in [&worker, &other] {
        assert_eq!(paused.claim().await.unwrap(), None);
    }
    assert_eq!(lengths(&redis).await, (0, 1));
    redis.queue_text("resume").await;
    // One that was claimed before the pause goes back among the other jobs.
    let claimed = worker.claim().await.unwrap().unwrap();
    redis.queue_text("pause").await;
    assert!(worker.load(&claimed).await.unwrap().is_none());
    assert_eq!(lengths(&redis).await, (1, 0));
    redis.queue_text("resume").await;
    assert_eq!(claim(&*worker).await.envelope.id, refresh.id);
}

#[tokio::test]
async fn the_operator_sees_refreshes_apart_and_drops_them() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let first = offer_refresh(&producer, 1, TEXT).await;
    let second = offer_refresh(&producer, 2, TEXT).await;
    let text = redis.queue_text("status").await;
    assert!(text.contains("waiting_refresh  2  oldest "), "{text}");
    let job = offer(&producer, 3, TEXT).await;
    let status = redis.queue_json("status").await;
    assert_eq!(
        (&status["waiting"], &status["waiting_refresh"]),
        (&json!(1), &json!(2))
    );
    let bytes = first.bytes + second.bytes + job.bytes;
    assert_eq!(status["queued_bytes"], bytes);
    let text = redis.queue_text("status").await;
    assert!(text.contains("waiting          1  oldest "), "{text}");
    assert!(text.contains("waiting_refresh  2\n"), "{text}");

    let listed = redis.queue_json("list").await;
    let jobs = listed["jobs"].as_array().unwrap();
    let shown: Vec<_> = jobs.iter().map(|job| (&job["state"], &job["id"])).collect();
    assert_eq!(
        shown,
        [
            (&json!("waiting"), &json!(job.id)),
            (&json!("waiting_refresh"), &json!(first.id)),
            (&json!("waiting_refresh"), &json!(second.id)),
        ]
    );
    let text = redis.queue_text("list --limit 1").await;
    assert!(
        text.contains(&first.id) && text.contains("… and 1 more"),
        "{text}"
    );
    let ended = redis.queue(&format!("replay {}", first.id)).await;
    assert!(ended.one_line(1).ends_with("it waits in the queue"));

    let dropped = redis.queue_json(&format!("drop {}", first.id)).await;
    assert_eq!(dropped, json!({"dropped": first.id, "was": "waiting"}));
    assert_eq!(lengths(&redis).await, (1, 1));
    let status = redis.queue_json("status").await;
    assert_eq!(status["queued_bytes"], second.bytes + job.bytes);
}

#[tokio::test]
async fn a_replayed_refresh_waits_among_the_other_jobs() {
    let redis = RedisServer::start().await;
    let worker = registered(&redis).await;
    let producer = redis.producer(10);
    let envelope = offer_refresh(&producer, 1, TEXT).await;
    let running = claim(&*worker).await;
    worker.dead_letter(&running.element, "x").await.unwrap();
    redis.queue_text(&format!("replay {}", envelope.id)).await;
    assert_eq!(lengths(&redis).await, (1, 0));
    assert_eq!(claim(&*worker).await.envelope.prefix, prefix(1));
}

#[tokio::test]
async fn the_text_of_refreshes_is_counted_anew_like_that_of_other_jobs() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let worker = registered(&redis).await;
    let bytes =
        offer_refresh(&producer, 1, TEXT).await.bytes + offer(&producer, 2, TEXT).await.bytes;
    for wrong in ["1", "99999999999"] {
        let write = ["HSET", "headroom:stats", "queued_bytes", wrong];
        let _: u64 = redis.command(&write).await;
        worker.reap().await.unwrap();
        let count: u64 = redis
            .command(&["HGET", "headroom:stats", "queued_bytes"])
            .await;
        assert_eq!(count, bytes);
    }
}
