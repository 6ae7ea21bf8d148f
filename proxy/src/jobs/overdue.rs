//! Which deferred prefixes get their job pushed again, because it seems lost; and how often a conversation gets one that compresses it anew, or
//! new blocks of it alone.

use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::tier::Tier;
use quick_cache::sync::Cache;

use crate::plan::known_prefix::{DeferredPrefix, KnownPrefix};

/// The job of a deferred prefix that has no result after this long was perhaps dropped or buried, or lost with a process that kept its queue
/// in memory.
const OVERDUE_MS: u64 = 60_000;
/// The same where forms may leave something out: a model takes minutes for a large prefix. It is twice what a job may take by default.
const OVERDUE_WITH_MODEL_MS: u64 = 600_000;
/// How long this process waits before it pushes the same prefix's job once more, or another refresh of the same conversation.
const INTERVAL_MS: u64 = 600_000;
/// How many prefixes are remembered.
const PREFIXES: usize = 4096;

/// When this process last pushed jobs beside those of cold starts.
#[derive(Debug)]
pub(crate) struct OverdueJobs {
    /// By the prefix whose job was pushed again.
    requeued: LastPushes,
    /// By the opening of the conversation that was refreshed.
    refreshed: LastPushes,
    /// By the prefix that a request with such new blocks went on from.
    grown: LastPushes,
}

/// When something was last pushed: milliseconds since 1970.
#[derive(Debug)]
struct LastPushes(Cache<PrefixId, u64>);

impl LastPushes {
    fn new() -> Self {
        Self(Cache::new(PREFIXES))
    }

    /// Whether the last push was so long ago that there may be another; then it is noted that there is.
    fn may_push(&self, prefix: PrefixId, now_ms: u64) -> bool {
        let last = self.0.get(&prefix);
        let may = last.is_none_or(|last| now_ms.saturating_sub(last) > INTERVAL_MS);
        if may {
            self.0.insert(prefix, now_ms);
        }
        may
    }
}

impl OverdueJobs {
    pub(crate) fn new() -> Self {
        Self {
            requeued: LastPushes::new(),
            refreshed: LastPushes::new(),
            grown: LastPushes::new(),
        }
    }

    /// The deferred prefix of a request, whose forms may leave out what `tier` says, if its job is to be pushed again; then it is noted that it is.
    pub(crate) fn to_requeue<'k>(
        &self,
        known: &'k KnownPrefix,
        tier: Tier,
        now_ms: u64,
    ) -> Option<&'k DeferredPrefix> {
        let deferred = known.deferred.as_ref()?;
        let overdue_ms = match tier {
            Tier::Lossless => OVERDUE_MS,
            Tier::Recoverable => OVERDUE_WITH_MODEL_MS,
        };
        let is_overdue = known.complete
            && !deferred.record.bound
            && deferred.compressed.is_none()
            && now_ms.saturating_sub(deferred.record.sent_ms) > overdue_ms;
        (is_overdue && self.requeued.may_push(deferred.prefix, now_ms)).then_some(deferred)
    }

    /// Whether the conversation with this opening may get a refresh; then it is noted that it does. A client that changes its last message with
    /// every request would otherwise get one each time, whose result never lands.
    pub(crate) fn may_refresh(&self, opening: PrefixId, now_ms: u64) -> bool {
        self.refreshed.may_push(opening, now_ms)
    }

    /// Whether new blocks of a request that goes on from this prefix may get a job of their own; then it is noted that they do. A client that
    /// changes its last message with every request goes on from the same prefix each time.
    pub(crate) fn may_push_tail(&self, before: PrefixId, now_ms: u64) -> bool {
        self.grown.may_push(before, now_ms)
    }
}
