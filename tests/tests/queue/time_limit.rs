//! Jobs that take too long: they are stopped, run once more alone, and are moved to the dead-letter list. A thread that can't be stopped is
//! replaced.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use headroom_shared::compress::Deadline;
use headroom_shared::queue::embedded::EmbeddedQueue;
use headroom_shared::queue::{Job, JobQueue, Timing};
use headroom_tests::http::Call;
use headroom_tests::process::Launch;
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::{TEXT, prefix};
use headroom_tests::queue::memory::MemoryStore;
use headroom_tests::queue::over_redis::bounds;
use headroom_tests::queue::watch::{buried, done, held, offer, stored};
use headroom_tests::queue::workers::{Latch, quick};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;
use headroom_worker::pool::{JobHandler, Pool};
use headroom_worker::process;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const REASON: &str =
    "it took more than 1 s (HEADROOM_JOB_TIMEOUT_SECONDS), and so alone in its process";

fn limited(redis: &RedisServer, threads: usize) -> Launch {
    quick(redis, threads).set("HEADROOM_JOB_TIMEOUT_SECONDS", 1)
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_tried_once_more_alone_then_buried() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let mut worker = Launch::worker(&redis.url())
        .program("scripted-worker")
        .set("SCRIPTED_QUICK", 1)
        .set("HEADROOM_BACKGROUND_COMPRESSION_WORKERS", 2)
        .set("HEADROOM_JOB_TIMEOUT_SECONDS", 1)
        .spawn();
    offer(&producer, 1, "until-deadline").await;
    offer(&producer, 2, TEXT).await;
    until("it is buried", SOON, async || {
        producer.counts().await.unwrap().0.dead == 1
    })
    .await;
    done(&producer, 1).await;
    let buried = buried(&redis).await;
    assert!(buried[0].contains(REASON), "{buried:?}");
    assert_eq!(stored(&redis, 1).await, None, "no part of a result");
    let answer = Call::get("/metrics").send(&worker.addr()).await;
    let metrics = String::from_utf8(answer.bytes().await.to_vec()).unwrap();
    assert!(
        metrics.contains("headroom_worker_job_timeouts_total 2\n"),
        "{metrics}"
    );
    assert!(worker.terminate(SOON).await.success());
    let log = worker.log();
    assert!(log.contains("job took too long"), "{log}");
}

#[tokio::test]
async fn a_thread_that_cannot_be_stopped_ends_its_process_after_the_other_jobs() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let neighbour = Latch::closed();
    let mut worker = limited(&redis, 2)
        .set("HEADROOM_JOB_TIMEOUT_SECONDS", 3)
        .spawn();
    offer(&producer, 1, "until /never/there").await;
    held(&producer, 1).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    offer(&producer, 2, &neighbour.job()).await;
    until("the neighbour runs", SOON, async || {
        neighbour.is_waited_for()
    })
    .await;
    until("the worker says that it ends", SOON, async || {
        let infos: HashMap<String, String> =
            redis.command(&["HGETALL", "headroom:worker-info"]).await;
        infos.values().any(|info| {
            info.contains("\"ending\":\"the thread of job") && info.contains("could not be stopped")
        })
    })
    .await;
    until("the job waits again", SOON, async || {
        producer.counts().await.unwrap().0.waiting == 1
    })
    .await;
    assert!(!worker.has_ended(), "its other job is not done");
    neighbour.open();
    let status = worker.ended(SOON).await;
    let log = worker.log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert_eq!(log.matches("error: the thread of job").count(), 1, "{log}");
    let (depth, totals) = redis.counts().await;
    assert_eq!(
        (depth.waiting, depth.active, totals.done),
        (1, 0, 1),
        "the other job is done"
    );

    // The next one runs it alone, and buries it.
    let mut next = limited(&redis, 2).spawn();
    let status = next.ended(SOON).await;
    assert_eq!(status.code(), Some(1), "{}", next.log());
    assert!(buried(&redis).await[0].contains(REASON));
    let (depth, _) = redis.counts().await;
    assert_eq!((depth.waiting, depth.active, depth.dead), (0, 0, 1));
}

#[tokio::test]
async fn in_a_process_that_does_more_another_thread_takes_the_place() {
    let store = Arc::new(MemoryStore::default());
    let timing = Timing {
        stuck_after: Duration::from_millis(200),
        ..Timing::default()
    };
    let queue = Arc::new(EmbeddedQueue::new(store, 100, bounds(), timing.clone()));
    let folder = tempfile::tempdir().unwrap();
    let open: PathBuf = folder.path().join("open");
    let until_open = open.clone();
    let work: JobHandler = Arc::new(move |job: &Job, deadline: Deadline| {
        while job.envelope.prefix == prefix(1) && !until_open.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        process::process(&job.payload, deadline)
    });
    let pool = Pool::new(queue.clone(), "1".parse().unwrap(), work)
        .with_timing(timing)
        .with_job_timeout(Duration::from_millis(100))
        .replacing_stuck_threads();
    let metrics = pool.metrics();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let until_stopped = stop.clone();
    tasks.spawn(async move { pool.run(until_stopped).await.unwrap() });
    offer(&*queue, 1, TEXT).await;
    until("it is buried", SOON, async || {
        queue.counts().await.unwrap().0.dead == 1
    })
    .await;
    offer(&*queue, 2, TEXT).await;
    done(&*queue, 1).await;
    assert_eq!(metrics.stuck_threads().get(), 2);
    assert_eq!(metrics.timeouts().get(), 2);
    std::fs::write(open, "").unwrap();
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}
