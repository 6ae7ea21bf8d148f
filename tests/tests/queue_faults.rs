//! What the queue must survive.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use headroom_shared::prefix::CompressedPrefix;
use headroom_shared::queue::redis::RedisQueue;
use headroom_shared::queue::{Claimed, Finished, Job, JobQueue, Timing, WorkQueue};
use headroom_tests::queue_support::breakable::Breakable;
use headroom_tests::queue_support::jobs::{TEXT, job, prefix, result};
use headroom_tests::queue_support::processes::{Process, program, quick, scripted, start};
use headroom_tests::queue_support::server::{RedisServer, keys, worker_at};
use headroom_tests::queue_support::{SOON, until};
use headroom_worker::pool::{Pool, Work};
use headroom_worker::process;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

async fn offer(queue: &RedisQueue, number: u8, text: &str) {
    let (envelope, payload) = job(number, text);
    queue.enqueue(&envelope, &payload).await.unwrap();
}

async fn done(redis: &RedisServer, jobs: u64) {
    until("jobs done", SOON, async || {
        redis.counts().await.1.done >= jobs
    })
    .await;
}

async fn held(redis: &RedisServer, jobs: u64) {
    until("jobs held", SOON, async || {
        redis.counts().await.0.active == jobs
    })
    .await;
}

async fn stored(redis: &RedisServer, number: u8) -> Option<CompressedPrefix> {
    let key = keys().compressed(prefix(number));
    let json: Option<String> = redis.run(&format!("GET {key}")).await;
    json.map(|json| serde_json::from_str(&json).unwrap())
}

/// Nothing waits, nothing is held, nothing is left of counters.
async fn empty(redis: &RedisServer) {
    let (depth, _) = redis.counts().await;
    assert_eq!((depth.waiting, depth.active, depth.delayed), (0, 0, 0));
    for left in ["headroom:pending:*", "headroom:job:*", "headroom:crashes"] {
        let left: Vec<String> = redis.run(&format!("KEYS {left}")).await;
        assert!(left.is_empty(), "{left:?}");
    }
}

async fn idle(redis: &RedisServer) {
    until("a worker waits for a job", SOON, async || {
        let clients: String = redis.run("CLIENT LIST").await;
        clients.contains("flags=b")
    })
    .await;
}

fn often() -> Timing {
    Timing {
        beat: Duration::from_millis(200),
        ..Timing::default()
    }
}

fn beats() -> Timing {
    Timing {
        claim: Duration::from_millis(200),
        stale: Duration::from_millis(100),
        ..Timing::default()
    }
}

/// A pool that runs inside the test.
struct Running {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    fn start(worker: Arc<dyn WorkQueue>, threads: &str, timing: Timing, work: Work) -> Self {
        let pool = Pool::new(worker, threads.parse().unwrap(), work).with_timing(timing);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let until_stopped = stop.clone();
        tasks.spawn(async move { pool.run(until_stopped).await.unwrap() });
        Self { stop, tasks }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn claim(worker: &dyn WorkQueue) -> Arc<Job> {
    match worker.claim().await.unwrap() {
        Some(Claimed::Job(job)) => job,
        other => panic!("{other:?}"),
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
async fn what_is_no_job_is_buried_and_the_worker_lives() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let _worker = start(program(), &redis, 1);
    idle(&redis).await;
    let (other_version, _) = job(1, TEXT);
    let other_version = serde_json::to_string(&other_version).unwrap();
    let bad: Vec<Vec<u8>> = vec![
        b"no json \xff\x00\"".to_vec(),
        b"{\"v\":1}".to_vec(),
        vec![b'['; 100_000],
        other_version.replace("{\"v\":1,", "{\"v\":2,").into_bytes(),
        Vec::new(),
    ];
    for element in &bad {
        let push = [b"LPUSH".as_slice(), b"headroom:jobs", element];
        let _: u64 = redis.run_args(&push).await;
    }
    offer(&producer, 9, TEXT).await;
    done(&redis, 1).await;
    let entries: Vec<String> = redis.run("LRANGE headroom:dead 0 -1").await;
    assert_eq!(entries.len(), bad.len());
    for entry in entries {
        let entry: serde_json::Value = serde_json::from_str(&entry).unwrap();
        assert!(entry["reason"].is_string() && entry["at"].is_u64() && entry["worker"].is_string());
    }
    empty(&redis).await;
}

#[tokio::test]
async fn the_dead_list_is_bounded() {
    let redis = RedisServer::start();
    let junk: Vec<String> = (0..1010).map(|number| format!("junk {number}")).collect();
    let mut push = vec!["LPUSH".to_owned(), "headroom:jobs".to_owned()];
    push.extend(junk);
    let _: u64 = redis.run_args(&push).await;
    let _worker = start(program(), &redis, 1);
    until("all buried", SOON, async || {
        redis.counts().await.1.dead == 1010
    })
    .await;
    assert_eq!(redis.counts().await.0.dead, 1000);
    let newest: String = redis.run("LINDEX headroom:dead 0").await;
    assert!(newest.contains("junk 1009"), "{newest}");
}

#[tokio::test]
async fn what_a_job_leaves_has_a_life_and_is_announced() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let client = redis::Client::open(redis.url()).unwrap();
    let mut notices = client.get_async_pubsub().await.unwrap();
    notices.subscribe(keys().done()).await.unwrap();
    let (envelope, payload) = job(1, TEXT);
    producer.enqueue(&envelope, &payload).await.unwrap();
    let hour = 3_600_000;
    for key in [keys().payload(prefix(1)), keys().pending(prefix(1))] {
        let life: i64 = redis.run(&format!("PTTL {key}")).await;
        assert!((1..=hour).contains(&life), "{key}: {life}");
    }
    let _worker = start(program(), &redis, 1);
    let notice = tokio::time::timeout(SOON, notices.on_message().next()).await;
    let announced: String = notice.unwrap().unwrap().get_payload().unwrap();
    assert_eq!(announced, prefix(1).to_string());
    let made = result(&payload);
    let forms = made.forms.iter().map(|form| keys().form(form.id));
    for key in forms.chain([keys().compressed(prefix(1))]) {
        let life: i64 = redis.run(&format!("PTTL {key}")).await;
        // The program's own retention: a week.
        assert!((hour..=168 * hour).contains(&life), "{key}: {life}");
    }
    for key in ["headroom:stats", "headroom:workers", "headroom:worker-info"] {
        let life: i64 = redis.run(&format!("PTTL {key}")).await;
        assert_eq!(life, -1, "{key}");
    }
    empty(&redis).await;
}

#[tokio::test]
async fn a_job_whose_payload_is_gone_or_malformed_is_buried() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    for number in 1..=2 {
        offer(&producer, number, TEXT).await;
    }
    let gone = keys().payload(prefix(1));
    let malformed = keys().payload(prefix(2));
    let _: () = redis.run(&format!("DEL {gone}")).await;
    let _: () = redis.run(&format!("SET {malformed} {{\"secret-text")).await;
    let _worker = start(program(), &redis, 1);
    until("buried", SOON, async || redis.counts().await.0.dead == 2).await;
    let entries: Vec<String> = redis.run("LRANGE headroom:dead 0 -1").await;
    assert!(entries[1].contains("its payload is gone"), "{entries:?}");
    assert!(entries[0].contains("not a payload"), "{entries:?}");
    assert!(!entries[0].contains("secret"), "{entries:?}");
}

#[tokio::test]
async fn a_job_whose_payload_went_with_a_newer_one_is_done() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let worker = redis.worker(beats());
    worker.register().await.unwrap();
    offer(&producer, 1, TEXT).await;
    let older = claim(&*worker).await;
    offer(&producer, 1, TEXT).await;
    let newer = claim(&*worker).await;
    worker
        .finish(&newer, &result(&newer.payload))
        .await
        .unwrap();
    worker.leave().await.unwrap();
    worker.register().await.unwrap();
    assert_eq!(redis.counts().await.0.waiting, 1);
    assert!(worker.claim().await.unwrap().is_none());
    let (depth, totals) = redis.counts().await;
    assert_eq!((depth.active, depth.dead, totals.done), (0, 0, 2));
    assert_ne!(older.envelope.id, newer.envelope.id);
    empty(&redis).await;
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

#[tokio::test]
async fn a_full_redis_takes_results_and_heartbeats_all_the_same() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let worker = redis.worker(beats());
    worker.register().await.unwrap();
    offer(&producer, 1, TEXT).await;
    let claimed = claim(&*worker).await;
    let _: () = redis.run("CONFIG SET maxmemory 1").await;
    let (envelope, payload) = job(2, TEXT);
    let refused = producer.enqueue(&envelope, &payload).await.unwrap_err();
    assert!(refused.is_passing(), "{refused}");
    worker.heartbeat().await.unwrap();
    let finished = worker.finish(&claimed, &result(&claimed.payload)).await;
    assert_eq!(finished.unwrap(), Finished::Done);
    assert!(stored(&redis, 1).await.is_some());
    assert!(worker.claim().await.unwrap_err().is_passing());
    let _: () = redis.run("CONFIG SET maxmemory 0").await;
    offer(&producer, 2, TEXT).await;
    claim(&*worker).await;
    // A dead worker's job is saved even from a full Redis.
    let _: () = redis.run("CONFIG SET maxmemory 1").await;
    let other = redis.worker(beats());
    until("reaped", SOON, async || {
        other.reap().await.unwrap().reaped == 1
    })
    .await;
}

#[tokio::test]
async fn a_pause_stops_claims_and_keeps_jobs() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let _worker = start(program(), &redis, 1);
    idle(&redis).await;
    // The worker waits already: what comes to it now goes back.
    let _: () = redis.run("SET headroom:paused 1").await;
    offer(&producer, 1, TEXT).await;
    until("given back", SOON, async || {
        let (depth, _) = redis.counts().await;
        let clients: String = redis.run("CLIENT LIST").await;
        depth.waiting == 1 && !clients.contains("flags=b")
    })
    .await;
    assert_eq!(redis.counts().await.1.done, 0);
    let _: () = redis.run("DEL headroom:paused").await;
    done(&redis, 1).await;
}

#[tokio::test]
async fn a_dead_workers_list_is_looked_into_for_long_and_whatever_the_clock_does() {
    let redis = RedisServer::start();
    let producer = redis.producer(10);
    let (gone, reaper) = (redis.worker(beats()), redis.worker(beats()));
    gone.register().await.unwrap();
    until("dead", SOON, async || {
        reaper.reap().await.unwrap();
        let score: f64 = redis
            .run(&format!("ZSCORE headroom:workers {}", gone.id()))
            .await;
        score > 0.0
    })
    .await;
    // A move that comes late.
    offer(&producer, 1, TEXT).await;
    let late = format!(
        "LMOVE headroom:jobs {} RIGHT LEFT",
        keys().active(gone.id())
    );
    let _: String = redis.run(&late).await;
    until("reaped", SOON, async || {
        reaper.reap().await.unwrap().reaped == 1
    })
    .await;
    // The clock is put back, so the last heartbeat is in the future.
    let _: String = redis.run(&late).await;
    let future = format!("ZADD headroom:workers 99999999999999 {}", gone.id());
    let _: u64 = redis.run(&future).await;
    until("reaped", SOON, async || {
        reaper.reap().await.unwrap().reaped == 1
    })
    .await;
    // After long it is forgotten, and its list before it.
    let _: String = redis.run(&late).await;
    let past = format!("ZADD headroom:workers 1 {}", gone.id());
    let _: u64 = redis.run(&past).await;
    reaper.reap().await.unwrap();
    let left: Vec<String> = redis.run("KEYS headroom:worker*").await;
    assert!(left.is_empty(), "{left:?}");
    // Three deaths.
    assert_eq!(redis.counts().await.0.dead, 1);
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
