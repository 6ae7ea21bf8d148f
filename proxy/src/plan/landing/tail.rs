//! When the result for new blocks alone lands, near the tail of the conversation: what is written anew is only what stands behind the first
//! block that changes, where an entry of the provider's cache surely ends before it.

use headroom_shared::contract::record::SentRecord;

use super::rewrite::saved_by;
use super::{Circumstances, Landing, Obstacle, SURELY_CACHED_MS, obstacle, occasion};
use crate::plan::known_prefix::{DeferredPrefix, KnownPrefix};
use crate::scan::{CacheLife, Scan};

/// Behind the entry that is read there may be so many parts of contents. Anthropic finds an entry at most 20 blocks before a marker
/// (`docs/providers.md`); a marker may stand a few parts before the end, in both requests.
const MAX_PARTS: u32 = 16;
/// So long after its request a result that has not come is waited for no more: a worker takes the job up in [`SURELY_CACHED_MS`] or not at
/// all, and has five minutes for it where nothing else is set.
const GIVEN_UP_MS: u64 = SURELY_CACHED_MS + 5 * 60_000;
/// So many tokens that a request did not have cached stand in its last parts, behind its marker.
const MAX_FRESH_TOKENS: u64 = 64;

/// Until when the result for new blocks of a request that goes out at `now_ms` can be worth its work.
pub(crate) const fn tail_useful_until_ms(now_ms: u64) -> u64 {
    now_ms.saturating_add(SURELY_CACHED_MS)
}

/// What becomes, in a request, of the result for new blocks alone; `None` where none was left to a worker, it has
/// landed, or nothing would be saved. `whole` is what becomes of the prefix that was left to a worker as a whole.
pub(crate) fn decide_tail(
    scan: &Scan,
    known: &KnownPrefix,
    whole: Option<Landing>,
    circumstances: Circumstances<'_>,
) -> Option<Landing> {
    let (tail, now_ms) = (known.tail.as_ref()?, circumstances.now_ms);
    if tail.compressed.is_none() && now_ms > tail.record.sent_ms.saturating_add(GIVEN_UP_MS) {
        return None;
    }
    let saved: i64 = known.tail_to_land().map(|made| saved_by(known, made)).sum();
    if tail.compressed.is_some() && saved <= 0 {
        return None;
    }
    let places = known.tail_to_land().map(|made| made.place.message as usize);
    let first = places.min().unwrap_or(usize::MAX);
    if let Some(obstacle) = obstacle(scan, known, tail, first) {
        return Some(Landing::Waits(obstacle));
    }
    let occasion = match whole {
        // All behind its first block is written anew in any case. It has forms of its own for what stands in its prefix.
        Some(Landing::Lands(occasion)) => is_longer(known, tail).then_some(occasion),
        _ => {
            let kept = || kept_tokens(scan, known, tail, now_ms).unwrap_or(0);
            let gain = || (saved, kept());
            occasion(scan, known, (tail, gain), circumstances)
        }
    };
    Some(occasion.map_or(Landing::Waits(Obstacle::Warm), Landing::Lands))
}

/// Whether its prefix is longer than the one that was left to a worker as a whole.
fn is_longer(known: &KnownPrefix, tail: &DeferredPrefix) -> bool {
    let whole = known.deferred.as_ref();
    let whole = whole.and_then(|whole| known.place_in_chain(whole.prefix));
    known.place_in_chain(tail.prefix) < whole
}

/// Tokens of an entry that ends before what was new in the request with the result's record, and that the provider surely finds for a request
/// that goes out at `now_ms`; `None` where that is not certain.
///
/// The request before it has left that entry, and it has read from it a short time ago; all requests since then were of the same settings.
fn kept_tokens(
    scan: &Scan,
    known: &KnownPrefix,
    tail: &DeferredPrefix,
    now_ms: u64,
) -> Option<u64> {
    let at = known.place_in_chain(tail.prefix)?;
    let before: &SentRecord = known.chain.get(at + 1)?.1.as_ref();
    let same_settings = match &tail.record.caches.as_ref()?.known[..] {
        [only] => only.settings == scan.settings?.all,
        _ => false,
    };
    let is_recent = now_ms <= tail.record.sent_ms.saturating_add(SURELY_CACHED_MS);
    let is_near = scan.parts_from(tail.record.start as usize) <= MAX_PARTS;
    let all_is_known = known.gap.is_none() && known.unrecorded.messages == 0;
    if !(same_settings && is_recent && is_near && all_is_known) {
        return None;
    }
    let (left, read) = (before.usage?, tail.record.usage?.read);
    let kept = left.read.saturating_add(left.written);
    let is_read = match scan.cache {
        CacheLife::None => false,
        // It ends with the last marker, and that must be the request's end.
        CacheLife::Marked(_) => read == kept && left.fresh() <= MAX_FRESH_TOKENS,
        // Where writes are not reported, any prefix can be read.
        CacheLife::Automatic(_) if left.written == 0 => read >= kept,
        CacheLife::Automatic(_) => read == kept,
    };
    is_read.then_some(kept)
}
