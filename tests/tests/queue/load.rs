//! A load of jobs while workers, connections and Redis itself are killed: nothing is lost, nothing is wrong.
//!
//! The test that always runs is short. The full run is the other one: `just faults`, or as CONTRIBUTING.md says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::job::{Envelope, Payload};
use headroom_shared::contract::prefix::CompressedPrefix;
use headroom_shared::queue::JobQueue;
use headroom_shared::queue::redis::RedisJobQueue;
use headroom_tests::process::Process;
use headroom_tests::queue::SOON;
use headroom_tests::queue::jobs::{TEXT, job_for, json, result};
use headroom_tests::queue::over_redis::keys;
use headroom_tests::queue::watch::empty;
use headroom_tests::queue::workers::quick;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait::until;
use tokio_util::task::TaskTracker;

const PRODUCERS: u32 = 4;
const WORKERS: usize = 3;
/// What the order of the faults, and the workers that they hit, are drawn from.
const SEED: u64 = 20_261_121;

/// How much is done, and how much of it is disturbed.
#[derive(Debug, Clone, Copy)]
struct Load {
    jobs: u32,
    faults: usize,
    /// Jobs that get done between two faults, so that each hits work.
    between: u64,
    /// How long the whole may take.
    limit: Duration,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_fault_loses_a_job_or_changes_a_result() {
    let load = Load {
        jobs: 4000,
        faults: 16,
        between: 100,
        limit: Duration::from_secs(180),
    };
    load.bear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: the full run of the test above"]
async fn under_full_load_no_fault_loses_a_job_or_changes_a_result() {
    let load = Load {
        jobs: 20_000,
        faults: 80,
        between: 200,
        limit: Duration::from_secs(900),
    };
    load.bear().await;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Fault {
    WorkerKilled,
    WorkerTerminated,
    ConnectionsCut,
    RedisKilled,
}

impl Fault {
    const ALL: [Self; 4] = [
        Self::WorkerKilled,
        Self::WorkerTerminated,
        Self::ConnectionsCut,
        Self::RedisKilled,
    ];

    /// The fault with this number: each kind once in four, in an order of their own each time.
    fn drawn(number: usize) -> Self {
        let mut four = Self::ALL;
        four.sort_by_key(|fault| drawn((number / 4, fault)));
        four[number % 4]
    }

    async fn strike(self, number: usize, redis: &mut RedisServer, workers: &[Process]) {
        let worker = &workers[drawn(number) as usize % WORKERS];
        match self {
            Self::WorkerKilled => worker.signal("KILL"),
            Self::WorkerTerminated => worker.signal("TERM"),
            Self::ConnectionsCut => {
                let _: u64 = redis
                    .command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
                    .await;
            }
            Self::RedisKilled => {
                redis.kill();
                redis.start_again().await;
            }
        }
    }
}

/// A number that only the seed and `what` decide.
fn drawn(what: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (SEED, what).hash(&mut hasher);
    hasher.finish()
}

impl Load {
    async fn bear(self) {
        say(&format!("{self:?}, seed of the faults {SEED}"));
        let begun = Instant::now();
        let ended = tokio::time::timeout(self.limit, self.run()).await;
        assert!(ended.is_ok(), "not over after {:?}", self.limit);
        let (redis, faults) = ended.unwrap();
        let took = begun.elapsed().as_secs_f64();
        let (_, totals) = redis.counts().await;
        say(&format!(
            "{} jobs, {faults:?}: done {}, done again {}, reaped {}, dead {}, in {took:.1} s; none lost, none wrong, all lists \
             empty",
            self.jobs, totals.done, totals.done_again, totals.reaped, totals.dead
        ));
    }

    async fn run(self) -> (RedisServer, BTreeMap<Fault, u32>) {
        let mut redis = RedisServer::persistent().await;
        let producer = Arc::new(redis.producer(u64::from(self.jobs)));
        let producing = TaskTracker::new();
        for part in 0..PRODUCERS {
            producing.spawn(self.produce(Arc::clone(&producer), part));
        }
        producing.close();
        let mut workers: Vec<Process> = (0..WORKERS).map(|_| quick(&redis, 3).spawn()).collect();
        let mut faults = BTreeMap::new();
        for number in 0..self.faults {
            self.progress(&redis).await;
            let fault = Fault::drawn(number);
            fault.strike(number, &mut redis, &workers).await;
            *faults.entry(fault).or_default() += 1;
            for worker in &mut workers {
                if worker.has_ended() {
                    *worker = quick(&redis, 3).spawn();
                }
            }
        }
        producing.wait().await;
        until("all done", self.limit, async || {
            let (depth, _) = redis.counts().await;
            depth.left() == 0
        })
        .await;
        self.everything_is_right(&redis).await;
        (redis, faults)
    }

    async fn progress(self, redis: &RedisServer) {
        let enough = (done(redis).await + self.between).min(u64::from(self.jobs));
        until("progress", SOON, async || done(redis).await >= enough).await;
    }

    /// Offers its part of the jobs, each until Redis has said that it has it.
    async fn produce(self, producer: Arc<RedisJobQueue>, part: u32) {
        for number in (part..self.jobs).step_by(PRODUCERS as usize) {
            let (envelope, payload) = numbered(number);
            while producer.enqueue(&envelope, json(&payload)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    async fn everything_is_right(self, redis: &RedisServer) {
        let (depth, totals) = redis.counts().await;
        assert_eq!(depth.dead, 0);
        assert!(totals.done >= u64::from(self.jobs), "{totals:?}");
        let mut connection = redis.connection().await;
        for number in 0..self.jobs {
            let (envelope, payload) = numbered(number);
            let made = result(&payload);
            let stored: String = redis::cmd("GET")
                .arg(keys().compressed(envelope.prefix))
                .query_async(&mut connection)
                .await
                .unwrap();
            let stored: CompressedPrefix = serde_json::from_str(&stored).unwrap();
            assert_eq!(stored, made.compressed);
            for form in &made.forms {
                let text: String = redis::cmd("GET")
                    .arg(keys().form(form.id))
                    .query_async(&mut connection)
                    .await
                    .unwrap();
                assert_eq!(text, form.text);
            }
        }
        empty(redis).await;
    }
}

async fn done(redis: &RedisServer) -> u64 {
    let (_, totals) = redis.counts().await;
    totals.done
}

fn numbered(number: u32) -> (Envelope, Payload) {
    let mut prefix = [0; 16];
    prefix[..4].copy_from_slice(&number.to_be_bytes());
    let (mut envelope, payload) =
        job_for(PrefixId::from_bytes(prefix), &format!("{number}\n{TEXT}"));
    envelope.refresh = number.is_multiple_of(5);
    (envelope, payload)
}

#[expect(
    clippy::print_stdout,
    reason = "seed and result are what a reader of the test's output wants"
)]
fn say(text: &str) {
    println!("{text}");
}
