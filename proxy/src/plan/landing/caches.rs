//! In which of the provider's caches a prefix that was left to a worker may be: it has one for each model, set of tools and other settings.

use headroom_shared::contract::record::{Caches, KnownCache, SentRecord};

use crate::scan::Scan;

/// So many caches of one prefix are told apart; of one with more it is not known in which it is.
const MAX_CACHES: usize = 8;
/// A request that names a model by more than this makes it unknown, too.
const MAX_MODEL_BYTES: usize = 128;

/// The caches that a cold start makes, if it goes out at `now_ms` and what it makes may live until then. What requests before it have made,
/// which went past the proxy, is taken to live no longer.
pub(crate) fn first(scan: &Scan, now_ms: u64, warm_until_ms: u64) -> Option<Caches> {
    let none = Caches {
        requests: 1,
        last_ms: now_ms,
        unseen_until_ms: warm_until_ms,
        known: Vec::new(),
    };
    with(none, scan, warm_until_ms)
}

/// The caches after one more request, which goes on from the one with this record. `None` where it does not go on from the last one that
/// began with the prefix: what the others would lose by a landing is not known then.
pub(crate) fn after(
    caches: Option<Caches>,
    scan: &Scan,
    before: Option<&SentRecord>,
    (now_ms, warm_until_ms): (u64, u64),
) -> Option<Caches> {
    let mut caches = caches?;
    if before.is_none_or(|before| before.sent_ms != caches.last_ms) {
        return None;
    }
    caches.requests = caches.requests.saturating_add(1);
    caches.last_ms = now_ms;
    caches.known.retain(|cache| cache.until_ms >= now_ms);
    with(caches, scan, warm_until_ms)
}

fn with(mut caches: Caches, scan: &Scan, until_ms: u64) -> Option<Caches> {
    let settings = scan.settings?;
    let mut known = caches.known.iter_mut();
    if let Some(own) = known.find(|cache| cache.settings == settings.all) {
        own.until_ms = own.until_ms.max(until_ms);
        return Some(caches);
    }
    if caches.known.len() >= MAX_CACHES || scan.model.len() > MAX_MODEL_BYTES {
        return None;
    }
    caches.known.push(KnownCache {
        settings: settings.all,
        tools: settings.tools,
        model: scan.model.clone(),
        until_ms,
    });
    Some(caches)
}
