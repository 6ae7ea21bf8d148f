//! A load of jobs while workers, connections and Redis itself are killed: nothing is lost, nothing is wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use headroom_shared::id::PrefixId;
use headroom_shared::job::{Envelope, Payload};
use headroom_shared::prefix::CompressedPrefix;
use headroom_shared::queue::JobQueue;
use headroom_shared::queue::redis::RedisQueue;
use headroom_tests::process::Process;
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::{TEXT, job_for, result};
use headroom_tests::queue::over_redis::keys;
use headroom_tests::queue::watch::empty;
use headroom_tests::queue::workers::quick;
use headroom_tests::random::Random;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;
use tokio_util::task::TaskTracker;

const JOBS: u32 = 20_000;
const PRODUCERS: u32 = 4;
/// How often each fault happens.
const TIMES: usize = 4;

#[derive(Debug, Clone, Copy)]
enum Fault {
    KillWorker,
    StopWorker,
    KillConnections,
    KillRedis,
}

const FAULTS: [Fault; 4] = [
    Fault::KillWorker,
    Fault::StopWorker,
    Fault::KillConnections,
    Fault::KillRedis,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_fault_loses_a_job_or_changes_a_result() {
    let mut redis = RedisServer::persistent().await;
    let producer = Arc::new(redis.producer(u64::from(JOBS)));
    let producing = TaskTracker::new();
    for part in 0..PRODUCERS {
        producing.spawn(produce(Arc::clone(&producer), part));
    }
    producing.close();
    let mut workers: Vec<Process> = (0..3).map(|_| quick(&redis, 3).spawn()).collect();
    let mut random = Random::seeded();
    let mut faults = FAULTS.repeat(TIMES);
    let most = JOBS as usize / faults.len();
    while !faults.is_empty() {
        let fault = faults.swap_remove(random.below(faults.len()));
        // Some progress between two faults, so that each hits work.
        let goal = progress(&redis).await + 1 + random.below(most) as u64;
        until("progress", SOON, async || {
            progress(&redis).await >= goal.min(u64::from(JOBS))
        })
        .await;
        let worker = random.below(workers.len());
        match fault {
            Fault::KillWorker => workers[worker].signal("KILL"),
            Fault::StopWorker => workers[worker].signal("TERM"),
            Fault::KillConnections => {
                let _: u64 = redis
                    .command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
                    .await;
            }
            Fault::KillRedis => {
                redis.kill();
                redis.start_again().await;
            }
        }
        for worker in &mut workers {
            if worker.has_ended() {
                *worker = quick(&redis, 3).spawn();
            }
        }
    }
    producing.wait().await;
    until("all done", Duration::from_secs(180), async || {
        let (depth, _) = redis.counts().await;
        depth.waiting + depth.active + depth.delayed == 0
    })
    .await;
    everything_is_right(&redis).await;
}

async fn progress(redis: &RedisServer) -> u64 {
    let (_, totals) = redis.counts().await;
    totals.done
}

fn numbered(number: u32) -> (Envelope, Payload) {
    let mut prefix = [0; 16];
    prefix[..4].copy_from_slice(&number.to_be_bytes());
    job_for(PrefixId::from_bytes(prefix), &format!("{number}\n{TEXT}"))
}

/// Offers its part of the jobs, each until Redis has said that it has it.
async fn produce(producer: Arc<RedisQueue>, part: u32) {
    for number in (part..JOBS).step_by(PRODUCERS as usize) {
        let (envelope, payload) = numbered(number);
        while producer.enqueue(&envelope, &payload).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn everything_is_right(redis: &RedisServer) {
    let (depth, totals) = redis.counts().await;
    assert_eq!(depth.dead, 0);
    assert!(totals.done >= u64::from(JOBS), "{totals:?}");
    let mut connection = redis.connection().await;
    for number in 0..JOBS {
        let (envelope, payload) = numbered(number);
        let made = result(&payload);
        let forms = made.forms.iter().map(|form| keys().form(form.id));
        let stored: Vec<String> = redis::cmd("MGET")
            .arg(keys().compressed(envelope.prefix))
            .arg(forms.collect::<Vec<_>>())
            .query_async(&mut connection)
            .await
            .unwrap();
        let compressed: CompressedPrefix = serde_json::from_str(&stored[0]).unwrap();
        assert_eq!(compressed, made.compressed);
        assert!(
            stored[1..]
                .iter()
                .eq(made.forms.iter().map(|form| &form.text))
        );
    }
    empty(redis).await;
}
