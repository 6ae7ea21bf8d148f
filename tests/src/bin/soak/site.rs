//! All that runs: a provider, Redis, two replicas and three workers, each with a line of its own to Redis that can be broken.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use headroom_tests::process::{self, Launch};
use headroom_tests::provider::Provider;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::small_disk::SmallDisk;
use headroom_tests::store_link::StoreLink;
use headroom_tests::tcp_proxy::TcpProxy;
use tokio::sync::Mutex;
use tokio::time::sleep;

/// Smaller than the cold start of most sessions that begin in the middle of a recording.
const MIN_TOKENS: u64 = 2000;
/// How long a request may wait for the store. A build without optimisation on a loaded machine needs more than the default.
const STORE_BUDGET_MS: u64 = 200;
/// The same where thinking is bound: longer than any fault lasts, so that a form before it may never change.
const BOUND_STORE_BUDGET_MS: u64 = 20_000;
/// How long a request may wait for its new blocks to be compressed.
const ENTRY_BUDGET_MS: u64 = 5000;

/// All that runs.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) provider: Provider,
    pub(crate) redis: Mutex<RedisServer>,
    pub(crate) replicas: [Replica; 2],
    pub(crate) workers: [Worker; 3],
    /// The proxy whose embedded store is on a small disk, where it was asked for and can be.
    pub(crate) small: Option<Replica>,
    /// That disk.
    pub(crate) disk: Option<SmallDisk>,
    redis_pid: AtomicU32,
    losses: AtomicU64,
}

/// A proxy and its line.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) process: Process,
    pub(crate) link: StoreLink,
}

/// A worker and its line.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) process: Process,
    pub(crate) line: TcpProxy,
}

/// A process that may be killed while others look at it.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) addr: String,
    running: Mutex<process::Process>,
    /// 0 while it is killed.
    pid: AtomicU32,
    /// Counts kills and new starts: odd while it is killed.
    kills: AtomicU64,
}

impl Site {
    pub(crate) async fn start(disk: Option<SmallDisk>) -> Self {
        let provider = Provider::start().await;
        let redis = RedisServer::persistent().await;
        let replicas = [
            Replica::start(1, &provider, &redis).await,
            Replica::start(2, &provider, &redis).await,
        ];
        let workers = [
            Worker::start(1, &redis).await,
            Worker::start(2, &redis).await,
            Worker::start(3, &redis).await,
        ];
        let small = match &disk {
            Some(disk) => Some(Replica::on(disk, &provider, &redis).await),
            None => None,
        };
        Self {
            provider,
            redis_pid: AtomicU32::new(redis.pid()),
            redis: Mutex::new(redis),
            replicas,
            workers,
            small,
            disk,
            losses: AtomicU64::new(0),
        }
    }

    /// Kills Redis and starts it again, with its data, after some time.
    pub(crate) async fn restart_redis(&self, away: Duration) {
        let mut redis = self.redis.lock().await;
        self.redis_pid.store(0, Ordering::SeqCst);
        redis.kill();
        sleep(away).await;
        redis.start_again().await;
        self.redis_pid.store(redis.pid(), Ordering::SeqCst);
    }

    /// Lets Redis lose all data.
    pub(crate) async fn lose_data(&self) {
        let redis = self.redis.lock().await;
        // Counted before and after, so that a turn between two counts knows that it may have met the loss.
        self.losses.fetch_add(1, Ordering::SeqCst);
        let () = redis.command(&["FLUSHALL"]).await;
        self.losses.fetch_add(1, Ordering::SeqCst);
    }

    /// How often all data was lost, each time counted twice.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::SeqCst)
    }

    /// The processes of the project.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        let replicas = self.replicas.iter().chain(&self.small);
        let workers = self.workers.iter().map(|worker| &worker.process);
        replicas.map(|replica| &replica.process).chain(workers)
    }

    /// All processes that run, by their names.
    pub(crate) fn running(&self) -> Vec<(String, u32)> {
        let ours = self.processes().map(|process| {
            let pid = process.pid.load(Ordering::SeqCst);
            (process.name.clone(), pid)
        });
        let redis = ("redis".to_owned(), self.redis_pid.load(Ordering::SeqCst));
        let all = ours.chain([redis]);
        all.filter(|(_, pid)| *pid != 0).collect()
    }
}

impl Replica {
    async fn start(number: usize, provider: &Provider, redis: &RedisServer) -> Self {
        let link = StoreLink::to(redis).await;
        let launch = proxy(provider).set("HEADROOM_REDIS_URL", link.url());
        Self {
            process: Process::start(&format!("replica {number}"), &launch).await,
            link,
        }
    }

    /// One with an embedded store on this disk.
    async fn on(disk: &SmallDisk, provider: &Provider, redis: &RedisServer) -> Self {
        let launch = proxy(provider).set("HEADROOM_DATA_DIR", disk.path().display());
        Self {
            process: Process::start("small disk", &launch).await,
            // It has no line to Redis. This one is never disturbed, and so nothing but its misses of the store counts.
            link: StoreLink::to(redis).await,
        }
    }
}

/// A proxy before this provider.
fn proxy(provider: &Provider) -> Launch {
    Launch::proxy(provider)
        .itself(&["proxy"])
        .set("HEADROOM_STORE_BUDGET_MS", STORE_BUDGET_MS)
        .set("HEADROOM_BOUND_STORE_BUDGET_MS", BOUND_STORE_BUDGET_MS)
        .set("HEADROOM_ENTRY_BUDGET_MS", ENTRY_BUDGET_MS)
        .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", MIN_TOKENS)
}

impl Worker {
    async fn start(number: usize, redis: &RedisServer) -> Self {
        let line = TcpProxy::start(redis.port()).await;
        let url = format!("redis://127.0.0.1:{}", line.port());
        let launch = Launch::worker(&url).itself(&["worker"]);
        Self {
            process: Process::start(&format!("worker {number}"), &launch).await,
            line,
        }
    }
}

impl Process {
    pub(crate) async fn start(name: &str, launch: &Launch) -> Self {
        let running = launch.start().await;
        Self {
            name: name.to_owned(),
            addr: running.addr(),
            pid: AtomicU32::new(running.pid()),
            running: Mutex::new(running),
            kills: AtomicU64::new(0),
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        process::signal(self.pid.load(Ordering::SeqCst), name);
    }

    /// Kills it, and starts it again after some time.
    pub(crate) async fn kill_for(&self, away: Duration) {
        let mut running = self.running.lock().await;
        self.pid.store(0, Ordering::SeqCst);
        self.kills.fetch_add(1, Ordering::SeqCst);
        running.kill();
        sleep(away).await;
        running.start_again().await;
        self.pid.store(running.pid(), Ordering::SeqCst);
        self.kills.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts its kills, for [`Self::killed_since`].
    pub(crate) fn kills(&self) -> u64 {
        self.kills.load(Ordering::SeqCst)
    }

    /// Whether it was killed, or still to be started again, at some time since.
    pub(crate) fn killed_since(&self, kills: u64) -> bool {
        !kills.is_multiple_of(2) || self.kills() != kills
    }

    /// The end of its log, if it has ended though nobody has killed it.
    pub(crate) fn has_crashed(&self) -> Option<String> {
        // Whoever kills it holds this until it runs again.
        let mut running = self.running.try_lock().ok()?;
        if !running.has_ended() {
            return None;
        }
        let log = running.log();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        Some(lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }
}
