//! The worker: its threads, its settings, its health, its start and its stop.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use headroom_shared::queue::embedded::EmbeddedQueue;
use headroom_shared::queue::{Job, JobQueue, Timing, WorkQueue};
use headroom_tests::queue_support::jobs::{TEXT, job, prefix};
use headroom_tests::queue_support::memory::MemoryStore;
use headroom_tests::queue_support::processes::{program, quick, scripted, spawn, start};
use headroom_tests::queue_support::running::Running;
use headroom_tests::queue_support::server::{RedisServer, bounds, free_port, keys};
use headroom_tests::queue_support::watch::idle;
use headroom_tests::queue_support::{SOON, until};
use headroom_worker::pool::{Failure, Work};
use headroom_worker::process;

fn short() -> Timing {
    Timing {
        reap: Duration::from_millis(50),
        retry: Duration::from_millis(20),
        ..Timing::default()
    }
}

fn embedded() -> Arc<EmbeddedQueue> {
    let store = Arc::new(MemoryStore::default());
    Arc::new(EmbeddedQueue::new(store, 100, bounds(), short()))
}

async fn offer(queue: &dyn JobQueue, numbers: std::ops::RangeInclusive<u8>, text: &str) {
    for number in numbers {
        let (envelope, payload) = job(number, text);
        queue.enqueue(&envelope, &payload).await.unwrap();
    }
}

async fn done(queue: &dyn JobQueue, jobs: u64) {
    until("jobs done", SOON, async || {
        queue.counts().await.unwrap().1.done >= jobs
    })
    .await;
}

/// Only as many jobs as there are threads can pass a barrier of that many.
async fn three_threads_run_three_jobs_at_once(queue: Arc<dyn WorkQueue>, producer: &dyn JobQueue) {
    let barrier = Arc::new(Barrier::new(3));
    let work: Work = Arc::new(move |job: &Job| {
        barrier.wait();
        Ok(process::process(&job.payload))
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
    let redis = RedisServer::start();
    three_threads_run_three_jobs_at_once(redis.worker(short()), &redis.producer(100)).await;
}

#[tokio::test]
async fn one_thread_runs_one_job_at_a_time_and_holds_no_other() {
    let redis = RedisServer::start();
    let producer = redis.producer(100);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (go, seen) = (Arc::new(Barrier::new(2)), Arc::clone(&most));
    let released = Arc::clone(&go);
    let work: Work = Arc::new(move |job: &Job| {
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        released.wait();
        now.fetch_sub(1, Ordering::SeqCst);
        Ok(process::process(&job.payload))
    });
    let running = Running::start(redis.worker(short()), "notanint", short(), work);
    offer(&producer, 1..=3, TEXT).await;
    for finished in 1..=3 {
        until("a job claimed", SOON, async || {
            producer.counts().await.unwrap().0.active == 1
        })
        .await;
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
    let redis = RedisServer::start();
    let producer = redis.producer(100);
    // More panics than threads: none of them costs a thread.
    let work: Work = Arc::new(|job: &Job| {
        assert!(job.envelope.prefix > prefix(3), "secret-text");
        Ok(process::process(&job.payload))
    });
    let running = Running::start(redis.worker(short()), "2", short(), work);
    offer(&producer, 1..=6, TEXT).await;
    done(&producer, 3).await;
    until("those that panic buried", SOON, async || {
        producer.counts().await.unwrap().0.dead == 3
    })
    .await;
    running.stop().await;
    let buried: String = redis.run("LINDEX headroom:dead 0").await;
    assert!(
        buried.contains("its work panicked") && !buried.contains("secret-text"),
        "{buried}"
    );
}

#[tokio::test]
async fn failures_are_tried_again_or_buried_as_they_say() {
    let redis = RedisServer::start();
    let producer = redis.producer(100);
    let runs = AtomicUsize::new(0);
    let work: Work = Arc::new(move |job: &Job| {
        if job.envelope.prefix == prefix(1) {
            return Err(Failure::Lasting("never good".to_owned()));
        }
        if runs.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(Failure::Passing("not yet".to_owned()));
        }
        Ok(process::process(&job.payload))
    });
    let running = Running::start(redis.worker(short()), "1", short(), work);
    offer(&producer, 1..=2, TEXT).await;
    done(&producer, 1).await;
    let (depth, totals) = producer.counts().await.unwrap();
    assert_eq!((depth.dead, totals.retried, totals.done), (1, 1, 1));
    let buried: String = redis.run("LINDEX headroom:dead 0").await;
    assert!(buried.contains("never good"), "{buried}");
    running.stop().await;
    let left: Vec<String> = redis.run("KEYS headroom:attempts").await;
    assert!(left.is_empty());
}

#[tokio::test]
async fn the_number_of_threads_is_clamped_and_shown() {
    let redis = RedisServer::start();
    for (set, shown) in [("3", 3), ("0", 1), ("-4", 1), ("notanint", 1)] {
        let (mut command, port) = (program(), free_port());
        command
            .env("HEADROOM_REDIS_URL", redis.url())
            .env("HEADROOM_WORKER_PORT", port.to_string())
            .env("HEADROOM_BACKGROUND_COMPRESSION_WORKERS", set);
        let mut worker = spawn(command);
        until("ready", SOON, async || get(port, "/readyz").await == 200).await;
        let info: HashMap<String, String> = redis.run("HGETALL headroom:worker-info").await;
        let info = info.values().next().unwrap();
        assert!(info.contains(&format!("\"threads\":{shown},")), "{info}");
        let metrics = body(port, "/metrics").await;
        assert!(
            metrics.contains(&format!("headroom_worker_threads {shown}\n")),
            "{metrics}"
        );
        worker.signal("TERM");
        let (status, _, log) = worker.ended(SOON);
        assert!(status.success());
        assert!(log.contains(&format!("{shown}")), "{log}");
    }
}

#[test]
fn a_bad_setting_is_one_line_and_exit_code_2() {
    let run = |name: &str, value: &str| {
        let mut command = program();
        let (status, _, log) = spawn({
            command.env(name, value);
            command
        })
        .ended(SOON);
        assert_eq!(status.code(), Some(2), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
        log
    };
    assert!(run("UNUSED", "").contains("HEADROOM_REDIS_URL (or --redis-url) is not set"));
    let port = run("HEADROOM_WORKER_PORT", "high");
    assert!(
        port.contains("HEADROOM_WORKER_PORT (or --worker-port) is \"high\": takes a port number"),
        "{port}"
    );
    let url = run("HEADROOM_REDIS_URL", "http://me:hunter2@x");
    assert!(
        url.contains("takes redis://") && !url.contains("hunter2"),
        "{url}"
    );
}

#[tokio::test]
async fn a_redis_that_evicts_any_key_is_refused() {
    let redis = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let mut command = program();
    command.env("HEADROOM_REDIS_URL", redis.url());
    let (status, _, log) = spawn(command).ended(SOON);
    assert_eq!(status.code(), Some(1));
    assert!(
        log.contains("allkeys-lru") && log.contains("noeviction"),
        "{log}"
    );
}

#[tokio::test]
async fn a_worker_without_permission_to_ask_for_the_policy_goes_on() {
    let redis = RedisServer::start();
    let _: String = redis
        .run("ACL SETUSER me on >secret ~* &* +@all -config -info")
        .await;
    let (mut command, port) = (program(), free_port());
    command
        .env(
            "HEADROOM_REDIS_URL",
            redis.url().replace("127", "me:secret@127"),
        )
        .env("HEADROOM_WORKER_PORT", port.to_string());
    let mut worker = spawn(command);
    until("ready", SOON, async || get(port, "/readyz").await == 200).await;
    worker.signal("TERM");
    let (_, _, log) = worker.ended(SOON);
    assert!(
        log.contains("does not tell its maxmemory-policy") && !log.contains("secret"),
        "{log}"
    );
}

#[tokio::test]
async fn a_worker_waits_for_redis_and_tells_when_it_is_ready() {
    let (redis_port, port) = (free_port(), free_port());
    let mut command = program();
    command
        .env(
            "HEADROOM_REDIS_URL",
            format!("redis://127.0.0.1:{redis_port}"),
        )
        .env("HEADROOM_WORKER_PORT", port.to_string());
    let mut worker = spawn(command);
    until("alive", SOON, async || get(port, "/livez").await == 200).await;
    until("a reason", SOON, async || {
        body(port, "/readyz").await.contains("refused")
    })
    .await;
    assert_eq!(get(port, "/readyz").await, 503);
    assert_eq!(get(port, "/metrics").await, 200);

    let mut redis = RedisServer::start_at(redis_port, &[]);
    until("ready", SOON, async || get(port, "/readyz").await == 200).await;
    let producer = redis.producer(10);
    offer(&producer, 1..=1, TEXT).await;
    done(&producer, 1).await;

    redis.stop();
    until("not ready", SOON, async || {
        get(port, "/readyz").await == 503
    })
    .await;
    worker.signal("TERM");
    let (status, took, log) = worker.ended(SOON);
    assert!(
        status.success() && took < Duration::from_secs(3),
        "{took:?}"
    );
    assert_eq!(log.matches("the queue is in trouble").count(), 2, "{log}");
}

#[tokio::test]
async fn an_idle_worker_stops_at_once_and_leaves_nothing_behind() {
    let redis = RedisServer::start();
    let mut worker = start(program(), &redis, 2);
    idle(&redis).await;
    worker.signal("TERM");
    let (status, took, _) = worker.ended(SOON);
    assert!(status.success());
    assert!(took < Duration::from_millis(500), "{took:?}");
    let left: Vec<String> = redis.run("KEYS *").await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_worker_told_to_stop_in_mid_job_finishes_that_job_and_takes_no_other() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let mut worker = start(scripted(), &redis, 1);
    offer(&producer, 1..=2, &format!("until {}", go.display())).await;
    until("in mid-job", SOON, async || {
        redis.counts().await.0.active == 1
    })
    .await;
    worker.signal("TERM");
    std::fs::write(&go, "").unwrap();
    assert!(worker.ended(SOON).0.success());
    let (depth, totals) = redis.counts().await;
    assert_eq!((depth.waiting, depth.active, totals.done), (1, 0, 1));
}

#[tokio::test]
async fn a_job_that_outlasts_the_grace_goes_back() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let mut worker = start(quick(), &redis, 1);
    offer(&producer, 1..=1, "until /never/there").await;
    until("in mid-job", SOON, async || {
        redis.counts().await.0.active == 1
    })
    .await;
    worker.signal("TERM");
    assert!(worker.ended(SOON).0.success());
    let (depth, _) = redis.counts().await;
    assert_eq!((depth.waiting, depth.active), (1, 0));
    let element: String = redis.run("LINDEX headroom:jobs 0").await;
    assert!(element.contains(&prefix(1).to_string()));
    let left: Vec<String> = redis
        .run_args(&[
            "ZRANGE".to_owned(),
            keys().workers(),
            "0".into(),
            "-1".into(),
        ])
        .await;
    assert!(left.is_empty());
}

async fn get(port: u16, path: &str) -> u16 {
    let answer = request(port, path).await;
    answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0)
}

async fn body(port: u16, path: &str) -> String {
    let answer = request(port, path).await;
    answer
        .split_once("\r\n\r\n")
        .map_or_else(String::new, |(_, body)| body.to_owned())
}

async fn request(port: u16, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else {
        return String::new();
    };
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}
