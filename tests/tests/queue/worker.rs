//! The worker: its threads, its settings, its health, its start and its stop.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use headroom_shared::queue::embedded::EmbeddedQueue;
use headroom_shared::queue::{Job, JobQueue, Timing, WorkQueue};
use headroom_tests::http::Call;
use headroom_tests::process::{Launch, Process};
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::{TEXT, prefix};
use headroom_tests::queue::memory::MemoryStore;
use headroom_tests::queue::over_redis::{bounds, keys};
use headroom_tests::queue::running::Running;
use headroom_tests::queue::watch::{self, done, held, idle};
use headroom_tests::queue::workers::{Latch, quick, real, scripted};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;
use headroom_worker::pool::{Failure, JobHandler};
use headroom_worker::process;

fn short() -> Timing {
    Timing {
        reap_interval: Duration::from_millis(50),
        first_retry_delay: Duration::from_millis(20),
        ..Timing::default()
    }
}

fn embedded() -> Arc<EmbeddedQueue> {
    let store = Arc::new(MemoryStore::default());
    Arc::new(EmbeddedQueue::new(store, 100, bounds(), short()))
}

async fn offer(queue: &dyn JobQueue, numbers: std::ops::RangeInclusive<u8>, text: &str) {
    for number in numbers {
        watch::offer(queue, number, text).await;
    }
}

/// Only as many jobs as there are threads can pass a barrier of that many.
async fn three_threads_run_three_jobs_at_once(queue: Arc<dyn WorkQueue>, producer: &dyn JobQueue) {
    let barrier = Arc::new(Barrier::new(3));
    let work: JobHandler = Arc::new(move |job: &Job, deadline| {
        barrier.wait();
        process::process(&job.payload, deadline)
    });
    let running = Running::start(queue, "3", short(), work);
    offer(producer, 1..=6, TEXT).await;
    done(producer, 6).await;
    running.stop().await;
}

#[tokio::test]
async fn three_threads_run_three_jobs_at_once_in_memory() {
    let queue = embedded();
    three_threads_run_three_jobs_at_once(queue.clone(), &*queue).await;
}

#[tokio::test]
async fn three_threads_run_three_jobs_at_once_over_redis() {
    let redis = RedisServer::start().await;
    three_threads_run_three_jobs_at_once(redis.worker(short()), &redis.producer(100)).await;
}

#[tokio::test]
async fn one_thread_runs_one_job_at_a_time_and_holds_no_other() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(100);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (go, seen) = (Arc::new(Barrier::new(2)), Arc::clone(&most));
    let released = Arc::clone(&go);
    let work: JobHandler = Arc::new(move |job: &Job, deadline| {
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        released.wait();
        now.fetch_sub(1, Ordering::SeqCst);
        process::process(&job.payload, deadline)
    });
    let running = Running::start(redis.worker(short()), "notanint", short(), work);
    offer(&producer, 1..=3, TEXT).await;
    for finished in 1..=3 {
        held(&producer, 1).await;
        let (depth, _) = producer.counts().await.unwrap();
        assert_eq!((depth.waiting, depth.active), (3 - finished, 1));
        let go = Arc::clone(&go);
        tokio::task::spawn_blocking(move || go.wait())
            .await
            .unwrap();
        done(&producer, finished).await;
    }
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_job_that_panics_is_buried_and_its_neighbours_finish() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(100);
    // More panics than threads: none of them costs a thread.
    let work: JobHandler = Arc::new(|job: &Job, deadline| {
        assert!(job.envelope.prefix > prefix(3), "secret-text");
        process::process(&job.payload, deadline)
    });
    let running = Running::start(redis.worker(short()), "2", short(), work);
    offer(&producer, 1..=6, TEXT).await;
    done(&producer, 3).await;
    until("those that panic buried", SOON, async || {
        producer.counts().await.unwrap().0.dead == 3
    })
    .await;
    running.stop().await;
    let buried: String = redis.command(&["LINDEX", "headroom:dead", "0"]).await;
    assert!(
        buried.contains("its work panicked") && !buried.contains("secret-text"),
        "{buried}"
    );
}

#[tokio::test]
async fn failures_are_tried_again_or_buried_as_they_say() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(100);
    let runs = AtomicUsize::new(0);
    let work: JobHandler = Arc::new(move |job: &Job, deadline| {
        if job.envelope.prefix == prefix(1) {
            return Err(Failure::Permanent("never good".to_owned()));
        }
        if runs.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(Failure::Transient("not yet".to_owned()));
        }
        process::process(&job.payload, deadline)
    });
    let running = Running::start(redis.worker(short()), "1", short(), work);
    offer(&producer, 1..=2, TEXT).await;
    done(&producer, 1).await;
    let (depth, totals) = producer.counts().await.unwrap();
    assert_eq!((depth.dead, totals.retried, totals.done), (1, 1, 1));
    let buried: String = redis.command(&["LINDEX", "headroom:dead", "0"]).await;
    assert!(buried.contains("never good"), "{buried}");
    running.stop().await;
    let left: Vec<String> = redis.command(&["KEYS", "headroom:attempts"]).await;
    assert!(left.is_empty());
}

#[tokio::test]
async fn the_number_of_threads_is_clamped_and_shown() {
    let redis = RedisServer::start().await;
    for (set, shown) in [("3", 3), ("0", 1), ("-4", 1), ("notanint", 1)] {
        let launch = Launch::worker(&redis.url());
        let mut worker = launch
            .set("HEADROOM_BACKGROUND_COMPRESSION_WORKERS", set)
            .spawn();
        ready(&worker).await;
        let info: HashMap<String, String> =
            redis.command(&["HGETALL", "headroom:worker-info"]).await;
        let info = info.values().next().unwrap();
        assert!(info.contains(&format!("\"threads\":{shown},")), "{info}");
        let metrics = body(&worker, "/metrics").await;
        assert!(
            metrics.contains(&format!("headroom_worker_threads {shown}\n")),
            "{metrics}"
        );
        assert!(worker.terminate(SOON).await.success());
        let log = worker.log();
        assert!(log.contains(&format!("{shown}")), "{log}");
    }
}

#[tokio::test]
async fn a_bad_setting_is_one_line_and_exit_code_2() {
    let nothing_set = Launch::worker("")
        .unset("HEADROOM_REDIS_URL")
        .unset("HEADROOM_WORKER_PORT");
    let run = async |name: &str, value: &str| {
        let mut worker = nothing_set.clone().set(name, value).spawn();
        let (status, log) = (worker.ended(SOON).await, worker.log());
        assert_eq!(status.code(), Some(2), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
        log
    };
    assert!(
        run("UNUSED", "")
            .await
            .contains("HEADROOM_REDIS_URL (or --redis-url) is not set")
    );
    let port = run("HEADROOM_WORKER_PORT", "high").await;
    assert!(
        port.contains("HEADROOM_WORKER_PORT (or --worker-port) is \"high\": takes a port number"),
        "{port}"
    );
    let url = run("HEADROOM_REDIS_URL", "http://me:hunter2@x").await;
    assert!(
        url.contains("takes redis://") && !url.contains("hunter2"),
        "{url}"
    );
}

#[tokio::test]
async fn a_redis_that_evicts_keys_is_refused() {
    let redis = RedisServer::start().await;
    for policy in ["allkeys-lru", "volatile-lru", "volatile-ttl"] {
        let _: () = redis
            .command(&["CONFIG", "SET", "maxmemory-policy", policy])
            .await;
        let mut worker = real(&redis, 1).spawn();
        let (status, log) = (worker.ended(SOON).await, worker.log());
        assert_eq!(status.code(), Some(1));
        let advice = "Set maxmemory-policy to noeviction";
        assert!(log.contains(policy) && log.contains(advice), "{log}");
    }
}

#[tokio::test]
async fn either_command_that_tells_the_policy_is_enough() {
    let redis = RedisServer::start().await;
    let _: () = redis
        .command(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"])
        .await;
    for forbidden in ["-config", "-info"] {
        let _: String = redis
            .command(&[
                "ACL", "SETUSER", "me", "reset", "on", ">secret", "~*", "&*", "+@all", forbidden,
            ])
            .await;
        let mut worker = Launch::worker(&redis.url_as("me:secret")).spawn();
        let (status, log) = (worker.ended(SOON).await, worker.log());
        assert_eq!(status.code(), Some(1));
        assert!(log.contains("volatile-lru"), "{forbidden}: {log}");
    }
}

#[tokio::test]
async fn a_worker_without_permission_to_ask_for_the_policy_goes_on() {
    let redis = RedisServer::start().await;
    let _: String = redis
        .command(&[
            "ACL", "SETUSER", "me", "on", ">secret", "~*", "&*", "+@all", "-config", "-info",
        ])
        .await;
    let url = redis.url_as("me:secret");
    let mut worker = Launch::worker(&url).spawn();
    ready(&worker).await;
    worker.terminate(SOON).await;
    let log = worker.log();
    assert!(
        log.contains("does not tell its maxmemory-policy") && !log.contains("secret"),
        "{log}"
    );
}

#[tokio::test]
async fn a_worker_waits_for_redis_and_tells_when_it_is_ready() {
    let mut redis = RedisServer::absent();
    let mut worker = Launch::worker(&redis.url()).spawn();
    until("it is alive", SOON, async || {
        status(&worker, "/livez").await == 200
    })
    .await;
    until("it says why it is not ready", SOON, async || {
        body(&worker, "/readyz").await.contains("refused")
    })
    .await;
    assert_eq!(status(&worker, "/readyz").await, 503);
    assert_eq!(status(&worker, "/metrics").await, 200);

    redis.start_again().await;
    ready(&worker).await;
    let producer = redis.producer(10);
    offer(&producer, 1..=1, TEXT).await;
    done(&producer, 1).await;

    redis.kill();
    until("it is not ready", SOON, async || {
        status(&worker, "/readyz").await == 503
    })
    .await;
    let told = Instant::now();
    let status = worker.terminate(SOON).await;
    let (took, log) = (told.elapsed(), worker.log());
    assert!(
        status.success() && took < Duration::from_secs(3),
        "{took:?}"
    );
    assert_eq!(log.matches("the queue is in trouble").count(), 2, "{log}");
}

#[tokio::test]
async fn an_idle_worker_stops_at_once_and_leaves_nothing_behind() {
    let redis = RedisServer::start().await;
    let mut worker = real(&redis, 2).spawn();
    idle(&redis).await;
    let told = Instant::now();
    assert!(worker.terminate(SOON).await.success());
    let took = told.elapsed();
    assert!(took < Duration::from_millis(500), "{took:?}");
    let left: Vec<String> = redis.command(&["KEYS", "*"]).await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_worker_told_to_stop_in_mid_job_finishes_that_job_and_takes_no_other() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let latch = Latch::closed();
    let mut worker = scripted(&redis, 1).spawn();
    offer(&producer, 1..=2, &latch.job()).await;
    held(&producer, 1).await;
    worker.signal("TERM");
    latch.open();
    assert!(worker.ended(SOON).await.success());
    let (depth, totals) = redis.counts().await;
    assert_eq!((depth.waiting, depth.active, totals.done), (1, 0, 1));
}

#[tokio::test]
async fn a_second_signal_ends_a_worker_at_once_and_its_job_is_taken_back() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let latch = Latch::closed();
    let mut worker = scripted(&redis, 1).spawn();
    offer(&producer, 1..=1, &latch.job()).await;
    until("it is in work", SOON, async || latch.is_waited_for()).await;
    worker.signal("TERM");
    let draining = "draining: 1 jobs, up to 20 s; again to end now";
    worker.logged(draining, 1).await;
    worker.signal("TERM");
    let status = worker.ended(SOON).await;
    assert_eq!(status.code(), Some(1));
    assert!(worker.log().contains("ended at once by a second signal"));
    assert_eq!(redis.counts().await.0.active, 1);
    latch.open();
    let _other = quick(&redis, 1).spawn();
    done(&producer, 1).await;
}

#[tokio::test]
async fn a_job_that_outlasts_the_grace_goes_back() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let mut worker = quick(&redis, 1).spawn();
    offer(&producer, 1..=1, "until /never/there").await;
    held(&producer, 1).await;
    worker.signal("TERM");
    assert!(worker.ended(SOON).await.success());
    let (depth, _) = redis.counts().await;
    assert_eq!((depth.waiting, depth.active), (1, 0));
    let element: String = redis.command(&["LINDEX", "headroom:jobs", "0"]).await;
    assert!(element.contains(&prefix(1).to_string()));
    let left: Vec<String> = redis
        .command(&[
            "ZRANGE".to_owned(),
            keys().workers(),
            "0".into(),
            "-1".into(),
        ])
        .await;
    assert!(left.is_empty());
}

async fn ready(worker: &Process) {
    until("the worker is ready", SOON, async || {
        status(worker, "/readyz").await == 200
    })
    .await;
}

/// The status of its answer, 0 where there is none.
async fn status(worker: &Process, path: &str) -> u16 {
    let answer = Call::get(path).try_send(&worker.addr()).await;
    answer.map_or(0, |answer| answer.status())
}

async fn body(worker: &Process, path: &str) -> String {
    let answer = Call::get(path).send(&worker.addr()).await;
    String::from_utf8(answer.bytes().await.to_vec()).unwrap()
}
