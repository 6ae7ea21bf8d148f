//! The application state that all requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headroom_shared::contract::id::DigestKey;
use headroom_shared::queue::JobQueue;
use http::{HeaderMap, HeaderName};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio_util::task::TaskTracker;

use crate::http::own_hosts::OwnHosts;
use crate::jobs::Jobs;
use crate::memory::MemoryBudget;
use crate::metrics::Counts;
use crate::plan::Planner;
use crate::records::{Budget, Records};
use crate::scan::ScanCache;
use crate::upstream::Upstream;

/// The application state.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) rules: Rules,
    pub(crate) upstream: Upstream,
    pub(crate) records: Arc<Records>,
    pub(crate) jobs: Jobs,
    pub(crate) counts: Counts,
    /// Work that goes on after a response has begun; a stop waits for it.
    pub(crate) tasks: TaskTracker,
    /// The runtime for work that no request waits for.
    pub(crate) background: Handle,
    pub(crate) draining: AtomicBool,
    pub(crate) scan_cache: ScanCache,
    pub(crate) memory: MemoryBudget,
    key: OnceCell<DigestKey>,
}

/// What the settings ask of every request.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) compress: bool,
    pub(crate) planner: Planner,
    pub(crate) max_body_bytes: usize,
    pub(crate) entry_budget: Duration,
    pub(crate) tenant_header: Option<HeaderName>,
    pub(crate) own_hosts: OwnHosts,
    /// `embedded` or `redis`.
    pub(crate) store_name: &'static str,
}

impl App {
    pub(crate) fn new(
        rules: Rules,
        upstream: Upstream,
        records: Records,
        queue: Arc<dyn JobQueue>,
        background: Handle,
        memory: MemoryBudget,
    ) -> Self {
        Self {
            rules,
            upstream,
            records: Arc::new(records),
            jobs: Jobs::new(queue),
            counts: Counts::new(),
            tasks: TaskTracker::new(),
            background,
            draining: AtomicBool::new(false),
            scan_cache: ScanCache::new(),
            memory,
            key: OnceCell::new(),
        }
    }

    /// The key of the digests that name this request's prefixes, which is its tenant's own; `None` while the store has not given the
    /// deployment's secret.
    pub(crate) async fn digest_key(
        &self,
        headers: &HeaderMap,
        budget: &mut Budget,
    ) -> Option<DigestKey> {
        let store = self.records.store();
        let ask = self.key.get_or_try_init(|| store.digest_key());
        let wait = || {
            self.key
                .get_or_try_init(|| store.digest_key_until_available())
        };
        let key = budget.read("reading the secret", ask, wait).await.ok()?;
        let tenant = self
            .rules
            .tenant_header
            .as_ref()
            .and_then(|name| headers.get(name));
        Some(tenant.map_or_else(|| key.clone(), |tenant| key.for_tenant(tenant.as_bytes())))
    }

    /// Whether the proxy is about to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
