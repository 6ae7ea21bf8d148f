//! The store and the queue that the settings choose: Redis, or embedded in this process with a file of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use headroom_shared::queue::embedded::EmbeddedQueue;
use headroom_shared::queue::redis::admin::QueueAdmin;
use headroom_shared::queue::redis::{self, RedisJobQueue, UnmetRequirement, check_requirements};
use headroom_shared::queue::{AdminQueue, Bounds, JobQueue, Timing};
use headroom_shared::redis::Evicts;
use headroom_shared::store::{EmbeddedStore, RedisStore, Store};
use headroom_worker::metrics::Metrics;
use headroom_worker::pool::Pool;
use headroom_worker::shortener::Shortener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::settings::Settings;

/// How often what has outlived its retention is deleted from the embedded store.
const SWEEP: Duration = Duration::from_secs(3600);
/// How long nobody must have used the store before its file is made smaller: while that is done the store is away.
const IDLE: Duration = Duration::from_secs(600);

/// Store and queue, and what of them runs in this process.
#[derive(Debug)]
pub(crate) struct Backend {
    /// `embedded` or `redis`.
    pub(crate) name: &'static str,
    /// The name of the queue in the metrics: the namespace in Redis, or `embedded`.
    pub(crate) queue_name: String,
    /// Why nothing is compressed, where Redis evicted keys at the start.
    pub(crate) evicts: Option<Evicts>,
    /// Where it is, for people.
    pub(crate) place: String,
    /// The folder of the embedded store's file.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) queue: Arc<dyn JobQueue>,
    /// The same queue as an operator sees it.
    pub(crate) admin: Arc<dyn AdminQueue>,
    /// The queue's worker side and the store's sweeper, where this process is the worker.
    embedded: Option<(Arc<EmbeddedQueue>, Arc<EmbeddedStore>)>,
    /// The model, where this process is the worker and has one.
    shortener: Option<Arc<dyn Shortener>>,
}

impl Backend {
    /// The backend that the settings name.
    ///
    /// # Errors
    /// When the embedded file can't be opened, or Redis is unfit. One that is away or evicts keys is no error: it may change, and
    /// requests are forwarded uncompressed until then.
    pub(crate) async fn open(settings: &Settings, background: &Handle) -> anyhow::Result<Self> {
        let retention = settings.store.retention();
        let bounds = Bounds::new(retention);
        let max_queue = settings.background.max_queue;
        let Some(url) = &settings.store.redis_url else {
            return Self::embedded(settings, bounds).await;
        };
        let keys = settings.store.keys();
        // The queue's connections run in the background runtime; the store's do not, because requests wait for them.
        let pool = {
            let _entered = background.enter();
            redis::pool(url, &keys)
        };
        let mut evicts = None;
        match check_requirements(&pool).await {
            Err(UnmetRequirement::Store(error)) if error.is_passing() => {
                tracing::warn!(%error, "Redis is away: requests are forwarded uncompressed until it is there");
            }
            Err(UnmetRequirement::Eviction(found)) => evicts = Some(found),
            fit => fit?,
        }
        Ok(Self {
            name: "redis",
            queue_name: settings.store.namespace.clone(),
            evicts,
            place: format!("Redis at {url}"),
            folder: None,
            store: Arc::new(RedisStore::new(url, keys.clone(), retention)),
            admin: Arc::new(QueueAdmin::new(
                pool.clone(),
                keys.clone(),
                bounds.clone(),
                Timing::default(),
            )),
            queue: Arc::new(RedisJobQueue::new(pool, keys, max_queue, bounds)),
            embedded: None,
            shortener: None,
        })
    }

    async fn embedded(settings: &Settings, bounds: Bounds) -> anyhow::Result<Self> {
        let dir = settings.limits.data_folder()?;
        let (folder, retention) = (dir.clone(), settings.store.retention());
        let max_bytes = settings.limits.max_store_bytes.as_u64();
        let open = move || EmbeddedStore::open(&dir, retention, max_bytes);
        let opened = tokio::task::spawn_blocking(open).await?;
        let store = Arc::new(opened?);
        let shortener = shortener(settings).await?;
        let queue = EmbeddedQueue::new(
            store.clone(),
            settings.background.max_queue,
            bounds,
            Timing::default(),
        )
        .with_threads(settings.background.workers.threads.get() as u64)
        .with_model(shortener.is_some());
        let queue = Arc::new(queue);
        Ok(Self {
            name: "embedded",
            queue_name: "embedded".to_owned(),
            evicts: None,
            place: folder.display().to_string(),
            folder: Some(folder),
            store: store.clone(),
            queue: queue.clone(),
            admin: queue.clone(),
            embedded: Some((queue, store)),
            shortener,
        })
    }

    /// Starts what of the backend runs in this process: the worker's threads and the store's sweeper. Returns what the threads count.
    pub(crate) fn start(
        &self,
        settings: &Settings,
        (tasks, background): (&TaskTracker, &Handle),
        stop: &CancellationToken,
    ) -> Option<Metrics> {
        let (queue, store) = self.embedded.as_ref()?;
        let mut metrics = None;
        if settings.background.on {
            let work = headroom_worker::process::handler_with(self.shortener.clone());
            let workers = &settings.background.workers;
            let pool = Pool::new(queue.clone(), workers.threads, work)
                .with_job_timeout(workers.job_timeout())
                .replacing_stuck_threads();
            metrics = Some(pool.metrics());
            let stop = stop.clone();
            let run = async move {
                if let Err(error) = pool.run(stop).await {
                    tracing::error!(%error, "could not start the worker's threads: cold starts stay uncompressed");
                }
            };
            tasks.spawn_on(run, background);
        }
        let sweep = stop.clone().run_until_cancelled_owned(sweep(store.clone()));
        tasks.spawn_on(sweep, background);
        metrics
    }

    /// Who compresses cold starts.
    pub(crate) fn workers_in_words(&self, settings: &Settings) -> String {
        match (&self.embedded, settings.background.workers.threads.get()) {
            (None, _) => "headroom-worker".to_owned(),
            (Some(_), 1) => "a thread of this process".to_owned(),
            (Some(_), threads) => format!("{threads} threads of this process"),
        }
    }
}

/// The model that the settings name, if any. Loading it takes seconds.
async fn shortener(settings: &Settings) -> anyhow::Result<Option<Arc<dyn Shortener>>> {
    if !settings.background.on {
        return Ok(None);
    }
    let workers = settings.background.workers.clone();
    let load = move || headroom_worker::load_model::load(&workers);
    Ok(tokio::task::spawn_blocking(load).await?)
}

async fn sweep(store: Arc<EmbeddedStore>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        match store.sweep().await {
            Ok(deleted) => tracing::debug!(deleted, "deleted what had outlived its retention"),
            Err(error) => {
                tracing::warn!(%error, "could not delete what has outlived its retention")
            }
        }
        if let Err(error) = store.compact_if_idle(IDLE).await {
            tracing::debug!(%error, "could not make the store's file smaller");
        }
    }
}
