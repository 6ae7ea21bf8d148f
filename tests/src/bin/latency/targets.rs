//! What is measured: a direct connection, nginx, and the proxy at its different tasks.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use clap::ValueEnum;
use headroom_tests::http::Call;
use headroom_tests::process::{Launch, Process};
use headroom_tests::redis_server::RedisServer;
use headroom_tests::wait;
use serde::Serialize;

use crate::bodies::Task;
use crate::load::Client;
use crate::nginx::Nginx;
use crate::{cores, usage};

/// How long the proxy's own worker is waited for after a turn.
const SETTLE: Duration = Duration::from_secs(2);

/// What stands between client and provider, and what it has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    /// Nothing.
    #[value(skip)]
    Direct,
    /// nginx.
    #[value(skip)]
    Nginx,
    /// The proxy with compression off.
    Off,
    /// The proxy, on a known prefix of which nothing is replaced.
    KnownPrefix,
    /// The proxy, on a known prefix of whose blocks half are replaced.
    HalfReplaced,
    /// The proxy, on cold starts that are left to a worker.
    Deferred,
}

/// Where the proxy keeps what it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Store {
    Redis,
    Embedded,
}

/// Which build of the proxy it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Build {
    /// The one that measures.
    This,
    /// The other one that was asked for.
    Baseline,
}

/// A target that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) target: Target,
    pub(crate) build: Build,
    pub(crate) store: Option<Store>,
    address: String,
    proxy: Option<Process>,
    nginx: Option<Nginx>,
    redis: Option<RedisServer>,
}

impl Target {
    /// What is to become of its requests.
    pub(crate) const fn task(self) -> Task {
        match self {
            Self::HalfReplaced => Task::Half,
            Self::Deferred => Task::Cold,
            Self::Direct | Self::Nginx | Self::Off | Self::KnownPrefix => Task::Known,
        }
    }

    /// What the proxy says that it did, once it knows the session.
    const fn decisions(self) -> &'static [&'static str] {
        match self {
            Self::Direct | Self::Nginx => &[""],
            Self::Off | Self::KnownPrefix => &["forwarded"],
            Self::HalfReplaced => &["compressed"],
            // More cold starts in a row than any user has: the proxy makes no more jobs than its memory allows.
            Self::Deferred => &["deferring", "deferred", "dropped"],
        }
    }

    /// The proxy's settings for it: it never runs out of budget, and leaves nothing to a worker but what should be.
    fn settings(self) -> [(&'static str, &'static str); 3] {
        [
            (
                "HEADROOM_BACKGROUND_COMPRESSION",
                if self == Self::Off { "off" } else { "on" },
            ),
            (
                "HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS",
                if self == Self::Deferred {
                    "1"
                } else {
                    "1000000000"
                },
            ),
            (
                "HEADROOM_ENTRY_BUDGET_MS",
                if self == Self::HalfReplaced {
                    "10000"
                } else {
                    "0"
                },
            ),
        ]
    }
}

impl Running {
    /// No target at all: the provider itself.
    pub(crate) fn direct(provider: &str) -> Self {
        Self {
            target: Target::Direct,
            build: Build::This,
            store: None,
            address: provider.to_owned(),
            proxy: None,
            nginx: None,
            redis: None,
        }
    }

    /// nginx, where it is installed.
    pub(crate) async fn nginx(provider: &str, own_core: bool) -> anyhow::Result<Option<Self>> {
        let nginx = Nginx::start(provider, cores::alone(own_core)).await?;
        Ok(nginx.map(|nginx| Self {
            target: Target::Nginx,
            address: nginx.addr(),
            nginx: Some(nginx),
            ..Self::direct(provider)
        }))
    }

    /// The proxy: of this build, and of the one at `baseline` where there is one.
    pub(crate) async fn proxies(
        target: Target,
        store: Store,
        provider: &str,
        (wrapper, baseline): (&[&str], Option<&Path>),
    ) -> Vec<Self> {
        let launch = || Launch::proxy_to(&format!("http://{provider}")).through(wrapper);
        let this = launch().itself(&["proxy"]);
        let mut all = vec![Self::proxy((target, Build::This), store, this).await];
        if let Some(program) = baseline {
            let other = launch().program_at(program);
            all.push(Self::proxy((target, Build::Baseline), store, other).await);
        }
        all
    }

    async fn proxy((target, build): (Target, Build), store: Store, launch: Launch) -> Self {
        let mut launch = launch
            .set("HEADROOM_LOG", "warn")
            .set("HEADROOM_STORE_BUDGET_MS", "5000")
            .set("HEADROOM_BACKGROUND_COMPRESSION_MAX_QUEUE", "1000000");
        for (name, value) in target.settings() {
            launch = launch.set(name, value);
        }
        let redis = match store {
            Store::Redis => Some(RedisServer::start().await),
            Store::Embedded => None,
        };
        if let Some(redis) = &redis {
            launch = launch.set("HEADROOM_REDIS_URL", redis.url());
        }
        let proxy = launch.start().await;
        Self {
            target,
            build,
            store: Some(store),
            address: proxy.addr(),
            proxy: Some(proxy),
            redis,
            nginx: None,
        }
    }

    /// Address and port to send to.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Its process, where it has one.
    pub(crate) fn pid(&self) -> Option<u32> {
        let proxy = self.proxy.as_ref().map(Process::pid);
        proxy.or_else(|| self.nginx.as_ref().map(Nginx::pid))
    }

    /// Memory in MB: what is resident now, and the most that ever was.
    pub(crate) fn memory_mb(&self) -> (f64, f64) {
        self.pid().map_or((0.0, 0.0), usage::memory_mb)
    }

    /// Makes the sessions known, and sees to it that the proxy does with them what it should.
    pub(crate) fn warm(&self, clients: &mut [Client]) -> anyhow::Result<()> {
        let wanted = self.target.decisions();
        for client in clients {
            client.begin()?;
            client.exchange()?;
            let decision = client.decision();
            if !wanted.contains(&decision.as_str()) {
                bail!(
                    "{:?} over {:?}: the proxy's decision is {decision:?}, not one of {wanted:?}",
                    self.target,
                    self.store
                );
            }
        }
        Ok(())
    }

    /// Gets rid of the jobs that its turn has left behind, so that they do not burden the next target. The proxy's own worker
    /// is given a moment: what it does later it does with the lowest priority, and on a busy machine that takes long.
    pub(crate) async fn settle(&self) {
        if self.target != Target::Deferred {
            return;
        }
        if let Some(redis) = &self.redis {
            let () = redis.command(&["FLUSHALL"]).await;
            return;
        }
        let idle = || async {
            let stats = Call::get("/stats").send(&self.address).await.json().await;
            let queue = &stats["queue"];
            (queue["waiting"] == 0 && queue["active"] == 0).then_some(())
        };
        let _ = wait::within(SETTLE, idle).await;
    }
}
