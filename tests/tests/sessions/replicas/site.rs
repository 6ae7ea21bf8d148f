//! Two replicas and a worker on one Redis, each replica with a line of its own that can be broken.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headroom_tests::http::Call;
use headroom_tests::process::{Launch, Process};
use headroom_tests::provider::Provider;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::tcp_proxy::{Line, TcpProxy};
use headroom_tests::wait;
use serde_json::Value;

/// All that runs.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) provider: Provider,
    pub(crate) replicas: [Replica; 2],
    pub(crate) redis: RedisServer,
    store_budget: Duration,
    _worker: Process,
}

/// One proxy and its line.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) process: Process,
    line: TcpProxy,
    /// Counts the beginnings and ends of its disturbances: odd while there is one.
    changes: AtomicU64,
    /// How many requests it has sent without its store, as far as that was asked.
    misses: AtomicU64,
}

/// How a replica was when a turn began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    changes: u64,
    misses: u64,
}

impl Site {
    pub(crate) async fn start(store_budget: Duration) -> Self {
        let provider = Provider::start().await;
        let redis = RedisServer::persistent().await;
        Self {
            replicas: [
                Replica::start(&provider, &redis, store_budget).await,
                Replica::start(&provider, &redis, store_budget).await,
            ],
            _worker: Launch::worker(&redis.url()).start().await,
            provider,
            redis,
            store_budget,
        }
    }

    /// One more, which has nothing but the store to know from.
    pub(crate) async fn fresh_replica(&self) -> Replica {
        Replica::start(&self.provider, &self.redis, self.store_budget).await
    }
}

impl Replica {
    async fn start(provider: &Provider, redis: &RedisServer, store_budget: Duration) -> Self {
        let line = TcpProxy::start(redis.port()).await;
        let launch = Launch::proxy(provider)
            .set(
                "HEADROOM_REDIS_URL",
                format!("redis://127.0.0.1:{}", line.port()),
            )
            .set("HEADROOM_STORE_BUDGET_MS", store_budget.as_millis())
            .set(
                "HEADROOM_BOUND_STORE_BUDGET_MS",
                2 * store_budget.as_millis(),
            )
            .set("HEADROOM_ENTRY_BUDGET_MS", 5000)
            .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000);
        Self {
            process: launch.start().await,
            line,
            changes: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    pub(crate) fn addr(&self) -> String {
        self.process.addr()
    }

    /// Breaks its line.
    pub(crate) fn disturb(&self, line: Line) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.line.set(line);
    }

    /// Breaks the connections that are open, and not those to come.
    pub(crate) fn disturb_open(&self, line: Line) {
        self.line.set_open(line);
    }

    /// Mends its line and waits until it has found Redis again by itself.
    pub(crate) async fn mend(&self) {
        self.line.set(Line::Good);
        wait::until("a replica finds Redis again", wait::DEADLINE, async || {
            Call::get("/readyz").send(&self.addr()).await.status() == 200
        })
        .await;
        self.store_misses().await;
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// How it is now.
    pub(crate) fn state(&self) -> State {
        State {
            changes: self.changes.load(Ordering::SeqCst),
            misses: self.misses.load(Ordering::SeqCst),
        }
    }

    /// Whether its line was good all the time since.
    pub(crate) fn calm_since(&self, state: State) -> bool {
        state.changes.is_multiple_of(2) && self.state().changes == state.changes
    }

    /// Whether it says that it has sent requests without its store since, as happens on a loaded machine even on a good line, or
    /// can't say any more.
    pub(crate) async fn late_since(&self, state: State) -> bool {
        let misses = self.store_misses().await;
        misses.is_none_or(|misses| misses > state.misses)
    }

    /// How many requests it has sent without its store; `None` once it is killed.
    pub(crate) async fn store_misses(&self) -> Option<u64> {
        let stats = Call::get("/stats").try_send(&self.addr()).await.ok()?;
        let stats: Value = serde_json::from_slice(&stats.try_bytes().await.ok()?).ok()?;
        let misses = stats["store_misses"].as_u64()?;
        self.misses.fetch_max(misses, Ordering::SeqCst);
        Some(misses)
    }
}
