//! When a worker's compressed prefix may land: change blocks that were sent in the original to their compressed forms.
//!
//! It lands as a whole, once, and only where no thinking is bound to what changes and the provider's cache of the prefix has certainly
//! expired, so that nothing that was paid for is thrown away.

use std::collections::HashMap;

use headroom_shared::contract::job::Place;
use headroom_shared::contract::prefix::CompressedPrefix;
use headroom_shared::contract::record::SentRecord;
use headroom_shared::contract::usage::Usage;

use super::known_prefix::{DeferredPrefix, KnownPrefix};
use crate::scan::{Block, CacheLife, Scan};

/// Added to a marker's life before its cache counts as gone: clocks and networks are not exact.
const MARGIN_MS: u64 = 60_000;
/// For how long a request whose response said nothing of the cache may have left something there: the longest life of a marker.
pub(crate) const UNKNOWN_LIFE_MS: u64 = 3_600_000 + MARGIN_MS;
/// A prefix of so many tokens is always cached by a provider that caches by itself (from 1,024 on: `docs/providers.md`).
const SURELY_CACHED_TOKENS: u64 = 2_048;

/// The deferred prefix, if it may land in this request.
pub(crate) fn ready<'a>(
    scan: &Scan,
    known: &'a KnownPrefix,
    now_ms: u64,
) -> Option<(&'a DeferredPrefix, &'a CompressedPrefix)> {
    let deferred = known.deferred.as_ref()?;
    let compressed = deferred.compressed.as_ref()?;
    let first = compressed
        .blocks
        .iter()
        .map(|block| block.place.message as usize)
        .min()?;
    let bound = deferred.record.bound || thinking_after(scan, first);
    let references = scan.references || !compressed.references;
    let matches = known.complete && references && same_blocks(scan, compressed);
    (matches && !bound && certainly_cold(scan.cache, known, deferred, now_ms))
        .then_some((deferred, compressed))
}

/// Whether thinking may follow a request's first block that its model binds to it: it stands there already, or the response may
/// begin with it.
pub(crate) fn binds(scan: &Scan) -> bool {
    let asks = scan.asks_thinking && scan.facts.binds_thinking;
    asks && !scan.blocks.is_empty() || is_bound(scan)
}

/// Whether the model may bind its thinking to the request's blocks, now or in a later turn.
pub(crate) fn may_bind(scan: &Scan) -> bool {
    let thinks = scan.asks_thinking || scan.thinks_by_default || scan.last_thinking().is_some();
    scan.facts.binds_thinking && thinks && !scan.blocks.is_empty()
}

/// Whether thinking stands behind a request's first block that its model binds to it.
pub(crate) fn is_bound(scan: &Scan) -> bool {
    let first = scan.blocks.first();
    first.is_some_and(|first| thinking_after(scan, first.place.message as usize))
}

fn thinking_after(scan: &Scan, first: usize) -> bool {
    scan.facts.binds_thinking
        && scan
            .last_thinking()
            .is_some_and(|thinking| thinking >= first)
}

/// Until when the provider may keep what a request that began at `now_ms` made it cache: 0 if it keeps nothing.
pub(crate) fn warm_until_ms(cache: CacheLife, now_ms: u64) -> u64 {
    let ms = |life: std::time::Duration| u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
    match cache {
        CacheLife::None => 0,
        CacheLife::Marked(life) => now_ms.saturating_add(ms(life)).saturating_add(MARGIN_MS),
        CacheLife::Automatic(life) => now_ms.saturating_add(ms(life)),
    }
}

/// Whether the provider has certainly nothing of the deferred prefix in its cache.
fn certainly_cold(
    cache: CacheLife,
    known: &KnownPrefix,
    deferred: &DeferredPrefix,
    now_ms: u64,
) -> bool {
    let Some(last) = known.latest_record() else {
        return false;
    };
    // What was sent later with a record says more of the cache than what was sent before without one.
    let unrecorded_ms = known.unrecorded.at_ms;
    if unrecorded_ms > last.sent_ms && now_ms <= unrecorded_ms.saturating_add(UNKNOWN_LIFE_MS) {
        return false;
    }
    let expired = now_ms > deferred.record.warm_until_ms;
    match cache {
        CacheLife::Marked(_) => expired,
        CacheLife::Automatic(_) => expired || never_cached(known),
        // Without a marker nothing should have been cached; the response must have said so, or be long ago.
        CacheLife::None => {
            expired
                && match last.usage {
                    Some(usage) => usage.is_uncached(),
                    None => now_ms > last.sent_ms.saturating_add(UNKNOWN_LIFE_MS),
                }
        }
    }
}

/// Whether a provider that caches by itself has shown that it does not: each request that continued a long prefix got a response without
/// a token from the cache. One that only began a prefix proves nothing: it wrote what the next would read.
fn never_cached(known: &KnownPrefix) -> bool {
    let shows = |record: &SentRecord| {
        record.start > 0
            && record
                .usage
                .is_some_and(|usage| usage.input >= SURELY_CACHED_TOKENS)
    };
    let none = |record: &SentRecord| record.usage.is_none_or(Usage::is_uncached);
    known.latest_record().is_some_and(shows) && known.chain.iter().all(|(_, record)| none(record))
}

/// Whether each compressed block stands where the result says, with the text it was made from.
fn same_blocks(scan: &Scan, compressed: &CompressedPrefix) -> bool {
    let blocks: HashMap<Place, &Block> = scan
        .blocks
        .iter()
        .map(|block| (block.place, block))
        .collect();
    compressed.blocks.iter().all(|made| {
        blocks
            .get(&made.place)
            .is_some_and(|block| block.id == made.block)
    })
}
