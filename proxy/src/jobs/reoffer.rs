//! Which deferred prefixes are offered to the queue again because their job seems lost.

use headroom_shared::contract::id::PrefixId;
use quick_cache::sync::Cache;

use crate::records::{Known, Waiting};

/// A deferred prefix that has no result after this long may have none in the making: its job was dropped or buried, or lost with
/// a process that kept its queue in memory.
const OVERDUE_MS: u64 = 60_000;
/// How long this process waits before it offers the same prefix once more.
const OFFER_AGAIN_MS: u64 = 600_000;
/// How many offers are remembered.
const OFFERS: usize = 4096;

/// When this process last offered a deferred prefix again.
#[derive(Debug)]
pub(crate) struct Offers(Cache<PrefixId, u64>);

impl Offers {
    pub(crate) fn new() -> Self {
        Self(Cache::new(OFFERS))
    }

    /// The deferred prefix of a request, if its job should be pushed again; then it is noted that it is.
    pub(crate) fn due(&self, known: &Known, now_ms: u64) -> Option<PrefixId> {
        let waiting = known.waiting.as_ref()?;
        let can_land = known.sure && !waiting.record.bound;
        (can_land && self.again(waiting, now_ms)).then_some(waiting.prefix)
    }

    fn again(&self, waiting: &Waiting, now_ms: u64) -> bool {
        let is_over = |since: u64, limit| now_ms.saturating_sub(since) > limit;
        let offered = self.0.get(&waiting.prefix);
        let again = waiting.compressed.is_none()
            && is_over(waiting.record.sent_ms, OVERDUE_MS)
            && offered.is_none_or(|offered| is_over(offered, OFFER_AGAIN_MS));
        if again {
            self.0.insert(waiting.prefix, now_ms);
        }
        again
    }
}
