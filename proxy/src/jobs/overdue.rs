//! Which deferred prefixes get their job pushed again, because it seems lost; and how often a conversation gets one that compresses it anew.

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

/// When this process last pushed the job of a prefix again, or that of a refresh by the conversation's opening: milliseconds since 1970.
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

    /// Whether the conversation with this opening may get a refresh; then it is noted that it does. A client that changes its last message with
    /// every request would otherwise get one each time, whose result never lands.
    pub(crate) fn may_refresh(&self, opening: PrefixId, now_ms: u64) -> bool {
        let last = self.0.get(&opening);
        let may = last.is_none_or(|last| now_ms.saturating_sub(last) > REQUEUE_INTERVAL_MS);
        if may {
            self.0.insert(opening, now_ms);
        }
        may
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
