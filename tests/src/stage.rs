//! Provider, Redis, proxy and worker together.

use serde_json::Value;

use crate::http::{Answer, Call};
use crate::process::{Launch, Process};
use crate::provider::Provider;
use crate::redis_server::RedisServer;
use crate::wait;

/// A proxy before a scripted provider, with Redis and a worker or with the embedded store.
#[derive(Debug)]
pub struct Stage {
    addr: String,
    proxy: Option<Process>,
    /// The worker process, where there is one.
    pub worker: Option<Process>,
    /// The provider.
    pub provider: Provider,
    /// The Redis, where there is one.
    pub redis: Option<RedisServer>,
}

impl Stage {
    /// One process alone: the embedded store and the proxy's own worker threads.
    pub async fn embedded(set: impl FnOnce(Launch) -> Launch) -> Self {
        let provider = Provider::start().await;
        let proxy = set(Launch::proxy(&provider)).start().await;
        Self {
            addr: proxy.addr(),
            proxy: Some(proxy),
            worker: None,
            provider,
            redis: None,
        }
    }

    /// The proxy over a persistent Redis, and no worker yet.
    pub async fn with_redis(set: impl FnOnce(Launch) -> Launch) -> Self {
        Self::over(RedisServer::persistent().await, set).await
    }

    /// The proxy over this Redis, and no worker yet.
    pub async fn over(redis: RedisServer, set: impl FnOnce(Launch) -> Launch) -> Self {
        let provider = Provider::start().await;
        let launch = Launch::proxy(&provider).set("HEADROOM_REDIS_URL", redis.url());
        let proxy = set(launch).start().await;
        Self {
            addr: proxy.addr(),
            proxy: Some(proxy),
            worker: None,
            provider,
            redis: Some(redis),
        }
    }

    /// A proxy and a worker over the Redis that this URL leads to.
    pub async fn at(url: &str, set: impl FnOnce(Launch) -> Launch) -> Self {
        let provider = Provider::start().await;
        let launch = Launch::proxy(&provider).set("HEADROOM_REDIS_URL", url);
        let proxy = set(launch).start().await;
        Self {
            addr: proxy.addr(),
            proxy: Some(proxy),
            worker: Some(Launch::worker(url).start().await),
            provider,
            redis: None,
        }
    }

    /// A proxy that something else started.
    #[must_use]
    pub fn elsewhere(addr: &str, provider: Provider) -> Self {
        Self {
            addr: addr.to_owned(),
            proxy: None,
            worker: None,
            provider,
            redis: None,
        }
    }

    /// Host and port where the proxy listens.
    #[must_use]
    pub fn addr(&self) -> String {
        self.proxy.as_ref().map_or(self.addr.clone(), Process::addr)
    }

    /// The proxy's process.
    ///
    /// # Panics
    /// When something else started it.
    pub fn proxy(&mut self) -> &mut Process {
        self.proxy.as_mut().expect("this stage started its proxy")
    }

    /// Starts a worker process.
    pub async fn start_worker(&mut self) {
        let launch = Launch::worker(&self.redis().url());
        self.worker = Some(launch.start().await);
    }

    /// The Redis.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn redis(&self) -> &RedisServer {
        self.redis.as_ref().expect("this stage has a Redis")
    }

    /// Sends a call to the proxy.
    pub async fn send(&self, call: &Call) -> Answer {
        call.send(&self.addr()).await
    }

    /// Sends a call to the proxy, reads the whole answer, and gives the decision and the body that the provider got.
    pub async fn exchange(&self, call: &Call) -> (String, bytes::Bytes) {
        let answer = self.send(call).await;
        let decision = answer.decision();
        answer.bytes().await;
        (decision, self.provider.next().await.body)
    }

    /// `/stats` of the proxy.
    pub async fn stats(&self) -> Value {
        self.send(&Call::get("/stats")).await.json().await
    }

    /// Waits until `/stats` fulfils a condition.
    ///
    /// # Panics
    /// When it never does.
    pub async fn until(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let stats = wait::within(wait::DEADLINE, || async {
            let stats = self.stats().await;
            condition(&stats).then_some(stats)
        })
        .await;
        match stats {
            Some(stats) => stats,
            None => panic!("waited in vain for {what}: {}", self.stats().await),
        }
    }

    /// Waits until the store has so many records at least, and all that is there of requests is to stay: none is under way any more.
    pub async fn until_settled(&self, records: usize) {
        let settled = || async {
            let keys: Vec<String> = self.redis().command(&["KEYS", "headroom:sent:*"]).await;
            let are_settled = keys.len() >= records && self.redis().are_settled(&keys).await;
            are_settled.then_some(())
        };
        wait::eventually("all records to have a full life", settled).await;
    }

    /// Waits until this many jobs are done.
    pub async fn until_done(&self, jobs: u64) {
        self.until("a job to be done", |stats| {
            stats["jobs"]["done"].as_u64() >= Some(jobs)
        })
        .await;
    }
}
