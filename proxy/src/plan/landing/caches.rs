//! In which of the provider's caches a prefix that was left to a worker may be: it has one for each model, set of tools and other settings.

use headroom_shared::contract::record::{CachedUnder, Caches, SentRecord};

use crate::scan::Scan;

/// So many caches of one prefix are told apart.
const MAX_CACHES: usize = 8;
/// No model has a longer name.
const MAX_MODEL_BYTES: usize = 128;

/// The caches that a request that begins a conversation makes, if it goes out at `now_ms` and what it makes may live until then.
pub(crate) fn first(scan: &Scan, now_ms: u64, warm_until_ms: u64) -> Option<Caches> {
    let none = Caches {
        last_ms: now_ms,
        caches: Vec::new(),
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
    caches.last_ms = now_ms;
    caches.caches.retain(|cache| cache.until_ms >= now_ms);
    with(caches, scan, warm_until_ms)
}

fn with(mut caches: Caches, scan: &Scan, until_ms: u64) -> Option<Caches> {
    let settings = scan.settings?;
    let known = caches.caches.iter_mut();
    if let Some(own) = known.into_iter().find(|cache| cache.settings == settings) {
        own.until_ms = own.until_ms.max(until_ms);
        return Some(caches);
    }
    if caches.caches.len() >= MAX_CACHES || scan.model.len() > MAX_MODEL_BYTES {
        return None;
    }
    caches.caches.push(CachedUnder {
        settings,
        model: scan.model.clone(),
        until_ms,
    });
    Some(caches)
}
