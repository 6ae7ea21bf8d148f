//! The application state that all requests share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use headroom_shared::contract::id::DigestKey;
use headroom_shared::queue::{AdminQueue, JobQueue};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::activity::Activity;
use crate::background_limit::BackgroundLimit;
use crate::bill::Billing;
use crate::http::websocket::mode::WebSocketMode;
use crate::jobs::Jobs;
use crate::memory::MemoryBudget;
use crate::metrics::Counts;
use crate::own_hosts::OwnHosts;
use crate::page_token::PageToken;
use crate::plan::Planner;
use crate::plan::history_cache::HistoryCache;
use crate::plan::made_forms::MadeForms;
use crate::prices::Prices;
use crate::records::{Budget, Records};
use crate::retrieval::ledger::Ledger;
use crate::scan::ScanCache;
use crate::separation::{Scope, Separation};
use crate::totals::DeploymentTotals;
use crate::upstream::Upstream;

/// So many pages are kept up to date at once: each asks the queue every second.
const MAX_PAGES: usize = 32;

/// The application state.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) rules: Rules,
    pub(crate) upstream: Upstream,
    pub(crate) records: Arc<Records>,
    pub(crate) jobs: Jobs,
    pub(crate) counts: Counts,
    pub(crate) billing: Arc<Billing>,
    pub(crate) ledger: Ledger,
    pub(crate) totals: DeploymentTotals,
    pub(crate) activity: Activity,
    /// The queue as an operator sees it.
    pub(crate) admin: Arc<dyn AdminQueue>,
    /// Work that goes on after a response has begun; a stop waits for it.
    pub(crate) tasks: TaskTracker,
    /// One token for each response and each WebSocket that has not ended.
    pub(crate) streams: TaskTracker,
    /// The runtime for work that no request waits for.
    pub(crate) background: Handle,
    /// One permit for each page that may be kept up to date.
    pub(crate) pages: Arc<Semaphore>,
    pub(crate) draining: AtomicBool,
    pub(crate) scan_cache: ScanCache,
    pub(crate) history_cache: HistoryCache,
    /// Forms for which there was no time when their blocks were sent.
    pub(crate) made_forms: MadeForms,
    /// For indexing the blocks of requests that went out, and making forms of those that were left over.
    pub(crate) index_limit: BackgroundLimit,
    pub(crate) memory: MemoryBudget,
    key: RwLock<Option<DigestKey>>,
}

/// What the settings ask of every request.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) compress: bool,
    pub(crate) planner: Planner,
    pub(crate) max_body_bytes: usize,
    /// How long a request's body may make no progress.
    pub(crate) body_timeout: Duration,
    pub(crate) entry_budget: Duration,
    /// How long new blocks may wait for the workers; zero: not at all.
    pub(crate) fleet_wait: Duration,
    pub(crate) separation: Separation,
    pub(crate) websocket: WebSocketMode,
    /// How long requests may take to end after a signal to stop.
    pub(crate) drain_time: Duration,
    pub(crate) own_hosts: OwnHosts,
    /// `embedded` or `redis`.
    pub(crate) store_name: &'static str,
    /// Whether the page may show the texts of blocks.
    pub(crate) show_text: bool,
    /// What who acts on the queue from the page must know.
    pub(crate) page_token: PageToken,
    /// The name of the queue in the metrics.
    pub(crate) queue_name: String,
}

impl Rules {
    /// Whether what requests get depends on which workers there are, and on whether they have a model.
    pub(crate) const fn asks_after_workers(&self) -> bool {
        let may_push_tails =
            self.compress && self.planner.tail_tokens > 0 && !self.planner.tier.is_lossless();
        !self.fleet_wait.is_zero() || may_push_tails
    }
}

impl App {
    pub(crate) fn new(
        rules: Rules,
        upstream: Upstream,
        records: Records,
        (queue, admin): (Arc<dyn JobQueue>, Arc<dyn AdminQueue>),
        background: Handle,
        memory: MemoryBudget,
        prices: Prices,
    ) -> Self {
        let totals = DeploymentTotals::default();
        let billing = Arc::new(Billing::new(Arc::new(prices), totals.clone()));
        let ledger = Ledger::new(totals.clone());
        Self {
            upstream,
            counts: Counts::new(
                (records.mismatches(), records.times()),
                billing.costs.clone(),
                (ledger.clone(), totals.clone()),
            ),
            billing,
            ledger,
            totals,
            activity: Activity::new(rules.show_text),
            admin,
            records: Arc::new(records),
            jobs: Jobs::new(queue),
            tasks: TaskTracker::new(),
            streams: TaskTracker::new(),
            background,
            pages: Arc::new(Semaphore::new(MAX_PAGES)),
            draining: AtomicBool::new(false),
            scan_cache: ScanCache::new(),
            history_cache: HistoryCache::new(),
            made_forms: MadeForms::new(),
            index_limit: BackgroundLimit::new(),
            memory,
            key: RwLock::default(),
            rules,
        }
    }

    /// The key of the digests that name the prefixes of requests of this scope; `None` while the store has not given the deployment's
    /// secret.
    pub(crate) async fn digest_key(
        &self,
        scope: Option<&Scope>,
        budget: &mut Budget,
    ) -> Option<DigestKey> {
        let key = match self.known_key() {
            Some(key) => key,
            None => {
                let store = self.records.store();
                let wait = || store.digest_key_until_available();
                let read = budget.read("reading the secret", store.digest_key(), wait);
                let key = read.await.ok()?;
                self.replace_key(key.clone());
                key
            }
        };
        Some(scope.map_or_else(|| key.clone(), |scope| key.for_tenant(scope)))
    }

    /// How many pages are kept up to date.
    pub(crate) fn open_pages(&self) -> usize {
        MAX_PAGES - self.pages.available_permits()
    }

    /// The deployment's secret, once the store has given it.
    pub(crate) fn known_key(&self) -> Option<DigestKey> {
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner);
        key.clone()
    }

    /// Uses this secret from the next request on.
    pub(crate) fn replace_key(&self, key: DigestKey) {
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }

    /// Whether the proxy is about to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
