//! Two replicas and a worker on one Redis, each replica with a line of its own that can be broken.

use std::time::Duration;

use headroom_tests::process::{Launch, Process};
use headroom_tests::provider::Provider;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::store_link::StoreLink;

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
    pub(crate) link: StoreLink,
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
        let link = StoreLink::to(redis).await;
        let launch = Launch::proxy(provider)
            .set("HEADROOM_REDIS_URL", link.url())
            .set("HEADROOM_STORE_BUDGET_MS", store_budget.as_millis())
            .set(
                "HEADROOM_BOUND_STORE_BUDGET_MS",
                2 * store_budget.as_millis(),
            )
            .set("HEADROOM_ENTRY_BUDGET_MS", 5000)
            .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000);
        Self {
            process: launch.start().await,
            link,
        }
    }

    pub(crate) fn addr(&self) -> String {
        self.process.addr()
    }

    /// Mends its line and waits until it has found Redis again by itself.
    pub(crate) async fn mend(&self) {
        self.link.mend(&self.addr()).await;
    }

    /// How many requests it has sent without its store; `None` once it is killed.
    pub(crate) async fn store_misses(&self) -> Option<u64> {
        self.link.store_misses(&self.addr()).await
    }
}
