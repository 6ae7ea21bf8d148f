//! Which deferred prefixes get their job pushed again, because it seems lost.

use headroom_shared::contract::id::PrefixId;
use quick_cache::sync::Cache;

use crate::plan::known_prefix::{DeferredPrefix, KnownPrefix};

/// The job of a deferred prefix that has no result after this long was perhaps dropped or buried, or lost with a process that kept its queue
/// in memory.
const OVERDUE_MS: u64 = 60_000;
/// How long this process waits before it pushes the same prefix's job once more.
const REQUEUE_INTERVAL_MS: u64 = 600_000;
/// How many prefixes are remembered.
const PREFIXES: usize = 4096;

/// When this process last pushed the job of a prefix again: milliseconds since 1970.
#[derive(Debug)]
pub(crate) struct OverdueJobs(Cache<PrefixId, u64>);

impl OverdueJobs {
    pub(crate) fn new() -> Self {
        Self(Cache::new(PREFIXES))
    }

    /// The deferred prefix of a request, if its job is to be pushed again; then it is noted that it is.
    pub(crate) fn to_requeue<'k>(
        &self,
        known: &'k KnownPrefix,
        now_ms: u64,
    ) -> Option<&'k DeferredPrefix> {
        let deferred = known.deferred.as_ref()?;
        let can_land = known.complete && !deferred.record.bound;
        (can_land && self.should_requeue(deferred, now_ms)).then_some(deferred)
    }

    fn should_requeue(&self, deferred: &DeferredPrefix, now_ms: u64) -> bool {
        let is_over = |since: u64, limit| now_ms.saturating_sub(since) > limit;
        let requeued = self.0.get(&deferred.prefix);
        let is_due = deferred.compressed.is_none()
            && is_over(deferred.record.sent_ms, OVERDUE_MS)
            && requeued.is_none_or(|requeued| is_over(requeued, REQUEUE_INTERVAL_MS));
        if is_due {
            self.0.insert(deferred.prefix, now_ms);
        }
        is_due
    }
}
