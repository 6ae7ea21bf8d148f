//! Deaths, stalls and lost connections that the queue must survive.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use headroom_shared::queue::{Job, JobQueue, Timing};
use headroom_tests::queue_support::breakable::Breakable;
use headroom_tests::queue_support::jobs::{TEXT, job, prefix};
use headroom_tests::queue_support::processes::{Process, program, quick, scripted, start};
use headroom_tests::queue_support::running::Running;
use headroom_tests::queue_support::server::{RedisServer, keys, worker_at};
use headroom_tests::queue_support::watch::{done, empty, held, idle, offer, stored};
use headroom_tests::queue_support::{SOON, until};
use headroom_worker::pool::Work;
use headroom_worker::process;

fn often() -> Timing {
    Timing {
        beat: Duration::from_millis(200),
        ..Timing::default()
    }
}

#[tokio::test]
async fn a_killed_workers_job_is_done_by_another_within_twenty_seconds() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    offer(&producer, 1, &format!("until {}", go.display())).await;
    let mut first = start(scripted(), &redis, 1);
    held(&redis, 1).await;
    let _second = start(scripted(), &redis, 1);
    idle(&redis).await;
    first.signal("KILL");
    let killed = Instant::now();
    first.ended(SOON);
    std::fs::write(&go, "").unwrap();
    until("done", Duration::from_secs(20), async || {
        redis.counts().await.1.done == 1
    })
    .await;
    assert!(killed.elapsed() < Duration::from_secs(20));
    assert!(stored(&redis, 1).await.is_some());
    empty(&redis).await;
}

#[tokio::test]
async fn a_stalled_worker_does_its_job_again_with_the_same_result() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    offer(&producer, 1, &format!("until {}", go.display())).await;
    let first = start(quick(), &redis, 1);
    held(&redis, 1).await;
    first.signal("STOP");
    let _second = start(quick(), &redis, 1);
    until("reaped", SOON, async || redis.counts().await.1.reaped == 1).await;
    std::fs::write(&go, "").unwrap();
    done(&redis, 1).await;
    let before = stored(&redis, 1).await;
    assert!(before.is_some());
    first.signal("CONT");
    until("done again", SOON, async || {
        redis.counts().await.1.done_again == 1
    })
    .await;
    assert_eq!(stored(&redis, 1).await, before);
    assert_eq!(redis.counts().await.1.done, 1);
    empty(&redis).await;
}

#[tokio::test]
async fn a_job_that_takes_its_process_down_ends_dead_and_its_neighbours_done() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let mut worker = start(quick(), &redis, 7);
    idle(&redis).await;
    // All seven are held at once, so the first crash blames all.
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    for number in 1..=6 {
        offer(&producer, number, &format!("until {}", go.display())).await;
    }
    held(&redis, 6).await;
    offer(&producer, 7, "abort").await;
    worker.ended(SOON);
    std::fs::write(&go, "").unwrap();

    let since = Instant::now();
    let mut worker: Process = start(quick(), &redis, 7);
    while redis.counts().await.1.done < 6 || redis.counts().await.0.dead < 1 {
        assert!(since.elapsed() < Duration::from_secs(40));
        if worker.has_ended() {
            worker = start(quick(), &redis, 7);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let buried: String = redis.run("LINDEX headroom:dead 0").await;
    assert!(buried.contains(&prefix(7).to_string()), "{buried}");
    assert!(buried.contains("3 workers died"), "{buried}");
    let (depth, totals) = redis.counts().await;
    assert_eq!((depth.waiting, depth.active), (0, 0));
    assert_eq!((totals.done, totals.dead), (6, 1));
}

#[tokio::test]
async fn an_element_moved_unseen_is_adopted() {
    let redis = RedisServer::start();
    let worker = redis.worker(Timing::default());
    let running = Running::start(worker.clone(), "1", often(), process::work());
    idle(&redis).await;
    // Redis pushes and moves in one step, so the waiting worker gets no answer for it.
    let (envelope, payload) = job(1, TEXT);
    let _: () = redis
        .run_args(&[
            "SET".to_owned(),
            keys().payload(prefix(1)),
            serde_json::to_string(&payload).unwrap(),
        ])
        .await;
    let _: u64 = redis
        .run_args(&[
            "LPUSH".to_owned(),
            keys().active(worker.id()),
            serde_json::to_string(&envelope).unwrap(),
        ])
        .await;
    // Well before the wait for a job would end by itself.
    until("adopted and done", Duration::from_secs(3), async || {
        redis.counts().await.1.done == 1
    })
    .await;
    running.stop().await;
    empty(&redis).await;
}

#[tokio::test]
async fn scripts_may_be_flushed_at_any_time() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let _worker = start(program(), &redis, 1);
    for number in 1..=5 {
        let _: () = redis.run("SCRIPT FLUSH").await;
        offer(&producer, number, TEXT).await;
        done(&redis, number.into()).await;
    }
    empty(&redis).await;
}

#[tokio::test]
async fn a_killed_connection_is_made_anew() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let _worker = start(program(), &redis, 1);
    for number in 1..=3 {
        idle(&redis).await;
        let killed: u64 = redis.run("CLIENT KILL TYPE normal SKIPME yes").await;
        assert!(killed >= 1);
        offer(&producer, number, TEXT).await;
        done(&redis, number.into()).await;
    }
    empty(&redis).await;
}

#[tokio::test]
async fn a_redis_that_restarts_under_an_idle_worker_is_found_again() {
    let mut redis = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let producer = redis.producer(10);
    let mut worker = start(program(), &redis, 1);
    idle(&redis).await;
    redis.stop();
    redis.start_again();
    offer(&producer, 1, TEXT).await;
    done(&redis, 1).await;
    // The job outlives a Redis that is killed while nobody works.
    worker.signal("TERM");
    worker.ended(SOON);
    offer(&producer, 2, TEXT).await;
    redis.stop();
    redis.start_again();
    let _worker = start(program(), &redis, 1);
    done(&redis, 2).await;
    empty(&redis).await;
}

/// A door in a job's work, which says who came to it.
#[derive(Default)]
struct Door {
    open: AtomicBool,
    came: AtomicUsize,
}

impl Door {
    fn pass(&self) {
        self.came.fetch_add(1, Ordering::SeqCst);
        while !self.open.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What must not happen has this long to happen.
async fn never<F: Future<Output = bool>>(what: &str, happened: impl Fn() -> F) {
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(300) {
        assert!(!happened().await, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_job_that_was_held_at_a_death_runs_alone() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let suspect = job(3, TEXT);
    for number in 1..=2 {
        offer(&producer, number, TEXT).await;
    }
    producer.enqueue(&suspect.0, &suspect.1).await.unwrap();
    for number in 4..=6 {
        offer(&producer, number, TEXT).await;
    }
    let crashed = format!("HSET headroom:crashes {} 1", suspect.0.id);
    let _: u64 = redis.run(&crashed).await;

    let (neighbours, alone) = (Arc::new(Door::default()), Arc::new(Door::default()));
    let doors = (Arc::clone(&neighbours), Arc::clone(&alone));
    let work: Work = Arc::new(move |job: &Job| {
        if job.crashes > 0 {
            doors.1.pass();
        } else {
            doors.0.pass();
        }
        Ok(process::process(&job.payload))
    });
    let worker = redis.worker(Timing::default());
    let running = Running::start(worker, "4", Timing::default(), work);
    held(&redis, 3).await;
    never("it runs beside others", async || {
        alone.came.load(Ordering::SeqCst) > 0
    })
    .await;
    neighbours.open.store(true, Ordering::SeqCst);
    until("it runs", SOON, async || {
        alone.came.load(Ordering::SeqCst) == 1
    })
    .await;
    never("another is taken beside it", async || {
        redis.counts().await.0.active > 1 || neighbours.came.load(Ordering::SeqCst) > 2
    })
    .await;
    alone.open.store(true, Ordering::SeqCst);
    done(&redis, 6).await;
    running.stop().await;
    empty(&redis).await;
}

#[tokio::test]
async fn a_job_whose_claim_is_cut_off_is_found_and_done() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let proxy = Breakable::before(redis.port()).await;
    let worker = worker_at(&proxy.url(), Timing::default());
    let running = Running::start(worker, "1", often(), process::work());
    idle(&redis).await;
    proxy.mute();
    offer(&producer, 1, TEXT).await;
    held(&redis, 1).await;
    proxy.cut();
    done(&redis, 1).await;
    running.stop().await;
    empty(&redis).await;
}

#[tokio::test]
async fn a_job_whose_claim_is_never_answered_is_found_and_done() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let proxy = Breakable::before(redis.port()).await;
    let timing = Timing {
        claim: Duration::from_millis(200),
        ..often()
    };
    let worker = worker_at(&proxy.url(), timing.clone());
    let running = Running::start(worker, "1", timing, process::work());
    idle(&redis).await;
    // Half-open: nothing is closed, and nothing comes. The client's own limits have to end it.
    proxy.mute();
    offer(&producer, 1, TEXT).await;
    until("done", Duration::from_secs(20), async || {
        redis.counts().await.1.done == 1
    })
    .await;
    running.stop().await;
    empty(&redis).await;
}

#[tokio::test]
async fn threads_that_keep_every_core_busy_are_not_taken_for_dead() {
    let redis = RedisServer::start();
    let producer = redis.producer(100);
    let timing = Timing {
        beat: Duration::from_millis(600),
        stale: Duration::from_secs(3),
        reap: Duration::from_millis(300),
        ..Timing::default()
    };
    let work: Work = Arc::new(|job: &Job| {
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(1500) {
            std::hint::black_box(process::process(&job.payload));
        }
        Ok(process::process(&job.payload))
    });
    let busy = Running::start(
        redis.worker(timing.clone()),
        "16",
        timing.clone(),
        work.clone(),
    );
    let other = Running::start(redis.worker(timing.clone()), "16", timing, work);
    for number in 1..=64 {
        offer(&producer, number, TEXT).await;
    }
    until("done", Duration::from_secs(60), async || {
        redis.counts().await.1.done == 64
    })
    .await;
    let (_, totals) = redis.counts().await;
    assert_eq!((totals.reaped, totals.done_again), (0, 0));
    busy.stop().await;
    other.stop().await;
    empty(&redis).await;
}
