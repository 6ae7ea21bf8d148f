//! What the session is played on: a provider, a proxy in front of it, and an agent.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use headroom_shared::runtime::config::{LogFormat, LogSettings, StoreSettings, WorkerSettings};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::agent::Agent;
use super::provider::Provider;
use crate::settings::{Background, Limits, Upstreams};
use crate::upstream::allowed::AllowedUpstreams;
use crate::upstream::proxies::Proxies;
use crate::{Settings, run};

/// All that runs during the demo.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) agent: Agent,
    pub(super) provider: Provider,
    pub(super) proxy: SocketAddr,
    running: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Stage {
    /// Starts provider and proxy; the proxy keeps its data in the folder `data`.
    pub(super) async fn set(data: &Path) -> anyhow::Result<Self> {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let provider = Provider::start(&tasks, stop.clone()).await?;
        let settings = settings(data, provider.address)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let proxy = listener.local_addr()?;
        let (started, has_started) = oneshot::channel();
        // When nobody waits for it any more the demo is over.
        let started = move |_| started.send(()).unwrap_or_default();
        let stopped = stop.clone().cancelled_owned();
        let running = tasks.spawn(run(settings, listener, started, stopped));
        if has_started.await.is_err() {
            running.await??;
            anyhow::bail!("the proxy ended before it served");
        }
        Ok(Self {
            agent: Agent::new(),
            provider,
            proxy,
            running,
            stop,
            tasks,
        })
    }

    /// Stops them all, the proxy as in real life: with a drain.
    pub(super) async fn clear(self) -> anyhow::Result<()> {
        drop(self.agent);
        self.stop.cancel();
        self.running.await?.context("the proxy")?;
        self.tasks.close();
        self.tasks.wait().await;
        Ok(())
    }
}

/// The defaults, whatever the environment says: the demo must neither find an operator's Redis nor leave anything in it.
fn settings(data: &Path, provider: SocketAddr) -> anyhow::Result<Settings> {
    let provider: Url = format!("http://{provider}").parse()?;
    let Ok(threads) = "1".parse();
    Ok(Settings {
        command: None,
        host: "127.0.0.1".to_owned(),
        port: 0,
        store: StoreSettings {
            redis_url: None,
            namespace: "headroom".to_owned(),
            retention_hours: 168,
        },
        limits: Limits {
            data_dir: Some(data.to_owned()),
            tenant_header: None,
            max_body_bytes: 64 << 20,
            store_budget_ms: 20,
            bound_store_budget_ms: 2000,
            entry_budget_ms: 20,
        },
        background: Background {
            on: true,
            min_tokens: 50_000,
            max_queue: 256,
            workers: WorkerSettings { threads },
        },
        upstreams: Upstreams {
            anthropic: provider.clone(),
            openai: provider,
            allowed: AllowedUpstreams::default(),
            proxies: Proxies::default(),
        },
        log: LogSettings {
            filter: "warn".to_owned(),
            format: LogFormat::Pretty,
        },
    })
}
