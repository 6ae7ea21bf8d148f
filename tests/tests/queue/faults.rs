//! Deaths, stalls and lost connections that the queue must survive.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use headroom_shared::queue::{Job, JobQueue, Timing};
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::{TEXT, job, json, prefix};
use headroom_tests::queue::over_redis::{keys, worker_at};
use headroom_tests::queue::running::Running;
use headroom_tests::queue::watch::{done, empty, held, idle, offer, stored};
use headroom_tests::queue::workers::{Latch, quick, real, scripted};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::tcp_proxy::{Line, TcpProxy};
use headroom_tests::wait::until;
use headroom_worker::pool::JobHandler;
use headroom_worker::process;

fn often() -> Timing {
    Timing {
        heartbeat_interval: Duration::from_millis(200),
        ..Timing::default()
    }
}

#[tokio::test]
async fn a_killed_workers_job_is_done_by_another_within_twenty_seconds() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let latch = Latch::closed();
    offer(&producer, 1, &latch.job()).await;
    let mut first = scripted(&redis, 1).spawn();
    held(&producer, 1).await;
    let _second = scripted(&redis, 1).spawn();
    idle(&redis).await;
    first.signal("KILL");
    let killed = Instant::now();
    first.ended(SOON).await;
    latch.open();
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
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let latch = Latch::closed();
    offer(&producer, 1, &latch.job()).await;
    let first = quick(&redis, 1).spawn();
    until("in work", SOON, async || latch.is_waited_for()).await;
    first.signal("STOP");
    let _second = quick(&redis, 1).spawn();
    until("reaped", SOON, async || redis.counts().await.1.reaped == 1).await;
    latch.open();
    done(&producer, 1).await;
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
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let mut worker = quick(&redis, 7).spawn();
    idle(&redis).await;
    // All seven are held at once, so the first crash blames all.
    let latch = Latch::closed();
    for number in 1..=6 {
        offer(&producer, number, &latch.job()).await;
    }
    held(&producer, 6).await;
    offer(&producer, 7, "abort").await;
    worker.ended(SOON).await;
    latch.open();

    let mut worker = quick(&redis, 7).spawn();
    let limit = Duration::from_secs(40);
    until("six are done and one is dead", limit, || {
        if worker.has_ended() {
            worker = quick(&redis, 7).spawn();
        }
        let counts = redis.counts();
        async {
            let (depth, totals) = counts.await;
            totals.done >= 6 && depth.dead >= 1
        }
    })
    .await;
    let buried: String = redis.command(&["LINDEX", "headroom:dead", "0"]).await;
    assert!(buried.contains(&prefix(7).to_string()), "{buried}");
    assert!(buried.contains("3 workers died"), "{buried}");
    let (depth, totals) = redis.counts().await;
    assert_eq!((depth.waiting, depth.active), (0, 0));
    assert_eq!((totals.done, totals.dead), (6, 1));
}

#[tokio::test]
async fn an_element_moved_unseen_is_adopted() {
    let redis = RedisServer::start().await;
    let worker = redis.worker(Timing::default());
    let running = Running::start(worker.clone(), "1", often(), process::handler());
    idle(&redis).await;
    // Redis pushes and moves in one step, so the waiting worker gets no answer for it.
    let (envelope, payload) = job(1, TEXT);
    let payload = serde_json::to_string(&payload).unwrap();
    let set = ["SET", &keys().payload(&envelope.id), &payload];
    let _: () = redis.command(&set).await;
    let envelope = serde_json::to_string(&envelope).unwrap();
    let push = ["LPUSH", &keys().active(worker.id()), &envelope];
    let _: u64 = redis.command(&push).await;
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
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let _worker = real(&redis, 1).spawn();
    for number in 1..=5 {
        let _: () = redis.command(&["SCRIPT", "FLUSH"]).await;
        offer(&producer, number, TEXT).await;
        done(&producer, number.into()).await;
    }
    empty(&redis).await;
}

#[tokio::test]
async fn a_killed_connection_is_made_anew() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let _worker = real(&redis, 1).spawn();
    for number in 1..=3 {
        idle(&redis).await;
        let killed: u64 = redis
            .command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
            .await;
        assert!(killed >= 1);
        offer(&producer, number, TEXT).await;
        done(&producer, number.into()).await;
    }
    empty(&redis).await;
}

#[tokio::test]
async fn a_redis_that_restarts_under_an_idle_worker_is_found_again() {
    let mut redis = RedisServer::persistent().await;
    let producer = redis.producer(10);
    let mut worker = real(&redis, 1).spawn();
    idle(&redis).await;
    redis.kill();
    redis.start_again().await;
    offer(&producer, 1, TEXT).await;
    done(&producer, 1).await;
    // The job outlives a Redis that is killed while nobody works.
    worker.signal("TERM");
    worker.ended(SOON).await;
    offer(&producer, 2, TEXT).await;
    redis.kill();
    redis.start_again().await;
    let _worker = real(&redis, 1).spawn();
    done(&producer, 2).await;
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
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let suspect = job(3, TEXT);
    for number in 1..=2 {
        offer(&producer, number, TEXT).await;
    }
    producer
        .enqueue(&suspect.0, json(&suspect.1))
        .await
        .unwrap();
    for number in 4..=6 {
        offer(&producer, number, TEXT).await;
    }
    let crashed = ["HSET", "headroom:crashes", &suspect.0.id, "1"];
    let _: u64 = redis.command(&crashed).await;

    let (neighbours, alone) = (Arc::new(Door::default()), Arc::new(Door::default()));
    let doors = (Arc::clone(&neighbours), Arc::clone(&alone));
    let work: JobHandler = Arc::new(move |job: &Job, deadline| {
        if job.crashes > 0 {
            doors.1.pass();
        } else {
            doors.0.pass();
        }
        process::process(&job.payload, deadline)
    });
    let worker = redis.worker(Timing::default());
    let running = Running::start(worker, "4", Timing::default(), work);
    until("it is held", SOON, async || {
        redis.counts().await.0.active >= 3
    })
    .await;
    never("it runs beside others", async || {
        alone.came.load(Ordering::SeqCst) > 0
    })
    .await;
    neighbours.open.store(true, Ordering::SeqCst);
    until("it runs", SOON, async || {
        alone.came.load(Ordering::SeqCst) == 1
    })
    .await;
    let before = neighbours.came.load(Ordering::SeqCst);
    never("another is taken beside it", async || {
        redis.counts().await.0.active > 1 || neighbours.came.load(Ordering::SeqCst) > before
    })
    .await;
    alone.open.store(true, Ordering::SeqCst);
    done(&producer, 6).await;
    running.stop().await;
    empty(&redis).await;
}

/// Redis, reached by way of this proxy.
fn through(proxy: &TcpProxy) -> String {
    format!("redis://127.0.0.1:{}", proxy.port())
}

#[tokio::test]
async fn a_job_whose_claim_is_cut_off_is_found_and_done() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let proxy = TcpProxy::start(redis.port()).await;
    let worker = worker_at(&through(&proxy), Timing::default());
    let running = Running::start(worker, "1", often(), process::handler());
    idle(&redis).await;
    proxy.set_open(Line::Mute);
    offer(&producer, 1, TEXT).await;
    held(&producer, 1).await;
    proxy.set_open(Line::Cut);
    done(&producer, 1).await;
    running.stop().await;
    empty(&redis).await;
}

#[tokio::test]
async fn a_job_whose_claim_is_never_answered_is_found_and_done() {
    let redis = RedisServer::start().await;
    let producer = redis.producer(10);
    let proxy = TcpProxy::start(redis.port()).await;
    let timing = Timing {
        claim_wait: Duration::from_millis(200),
        ..often()
    };
    let worker = worker_at(&through(&proxy), timing.clone());
    let running = Running::start(worker, "1", timing, process::handler());
    idle(&redis).await;
    // Half-open: nothing is closed, and nothing comes. The client's own limits have to end it.
    proxy.set_open(Line::Mute);
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
    let redis = RedisServer::start().await;
    let producer = redis.producer(100);
    let timing = Timing {
        heartbeat_interval: Duration::from_millis(600),
        stale_after: Duration::from_secs(3),
        reap_interval: Duration::from_millis(300),
        ..Timing::default()
    };
    let work: JobHandler = Arc::new(|job: &Job, deadline| {
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(1500) {
            let _ = std::hint::black_box(process::process(&job.payload, deadline));
        }
        process::process(&job.payload, deadline)
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
