//! When a worker's compressed prefix may land: change blocks that were sent in the original to their compressed forms.
//!
//! [`decide`] says so. It lands as a whole, once, and only where no thinking is bound to what changes. Mostly it waits until the provider's
//! cache of the prefix has certainly expired, so that nothing that was paid for is thrown away. It lands before that where what may be lost is
//! covered by what the conversation has saved so far, so that it never costs more than going direct: the rules are in
//! `docs/architecture.md`.

pub(super) mod caches;
mod continuation;
mod covered;
mod rewrite;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use headroom_shared::contract::job::Place;
use headroom_shared::contract::prefix::CompressedPrefix;
use headroom_shared::contract::record::SentRecord;
use headroom_shared::contract::usage::Usage;

pub(crate) use self::continuation::observed_continuation;
use self::covered::{Change, covered};
use self::rewrite::Rewrite;
pub(crate) use self::tail::{decide_tail, tail_useful_until_ms};
use super::known_prefix::{DeferredPrefix, KnownPrefix};
use crate::prices::Prices;
use crate::scan::{Block, CacheLife, Scan};
use crate::totals::continuations::Continuations;

/// Added to a marker's life before its cache counts as gone: clocks and networks are not exact.
const MARGIN_MS: u64 = 60_000;
/// For how long a request whose response said nothing of the cache may have left something there: the longest life of a marker.
pub(crate) const UNKNOWN_LIFE_MS: u64 = 3_600_000 + MARGIN_MS;
/// A prefix of so many tokens is always cached by a provider that caches by itself (from 1,024 on: `docs/providers.md`).
const SURELY_CACHED_TOKENS: u64 = 2_048;
/// And for so long at least (five minutes: `docs/providers.md`).
const SURELY_CACHED_MS: u64 = 4 * 60_000;

/// What becomes, in one request, of the compressed prefix that was left to a worker, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Landing {
    /// It lands.
    Lands(Occasion),
    /// It does not land in this request.
    Waits(Obstacle),
}

/// Why a compressed prefix may land.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The life of what the provider has cached is over.
    Expired,
    /// The provider has shown that it caches nothing of the conversation.
    Uncached,
    /// The client has changed the model, tools or other settings that the cache depends on.
    Invalidated,
    /// The cache may be alive, but to write the prefix anew is covered by what was saved, and pays.
    Pays,
    /// The same, where only what stands behind the first block that changes is written anew.
    Tail,
}

/// Why a compressed prefix does not land.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// No worker has made it yet.
    NoResult,
    /// The store has not told all that was sent.
    StoreLate,
    /// Thinking is bound to what would change: it can never land.
    Bound,
    /// The client has changed a block of it, or the provider may drop what its forms refer to.
    Changed,
    /// The provider's cache of it may be alive.
    Warm,
}

/// By what rule prefixes land: [`decide`], but for simulations of other rules.
pub(crate) type Rule = fn(&Scan, &KnownPrefix, Circumstances<'_>) -> Option<Landing>;

/// What a landing is judged by besides the conversation itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    /// What models cost.
    pub(crate) prices: &'a Prices,
    /// How often conversations go on.
    pub(crate) continuations: &'a Continuations,
    /// When the request goes out: milliseconds since 1970.
    pub(crate) now_ms: u64,
}

impl Landing {
    pub(crate) const ALL: [Self; 10] = [
        Self::Lands(Occasion::Expired),
        Self::Lands(Occasion::Uncached),
        Self::Lands(Occasion::Invalidated),
        Self::Lands(Occasion::Pays),
        Self::Lands(Occasion::Tail),
        Self::Waits(Obstacle::NoResult),
        Self::Waits(Obstacle::StoreLate),
        Self::Waits(Obstacle::Bound),
        Self::Waits(Obstacle::Changed),
        Self::Waits(Obstacle::Warm),
    ];

    /// Its name in headers, logs and counts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lands(Occasion::Expired) => "landed_expired",
            Self::Lands(Occasion::Uncached) => "landed_uncached",
            Self::Lands(Occasion::Invalidated) => "landed_invalidated",
            Self::Lands(Occasion::Pays) => "landed_pays",
            Self::Lands(Occasion::Tail) => "landed_tail",
            Self::Waits(Obstacle::NoResult) => "no_result",
            Self::Waits(Obstacle::StoreLate) => "store_late",
            Self::Waits(Obstacle::Bound) => "bound",
            Self::Waits(Obstacle::Changed) => "changed",
            Self::Waits(Obstacle::Warm) => "warm",
        }
    }

    /// Whether it lands.
    pub(crate) const fn lands(self) -> bool {
        matches!(self, Self::Lands(_))
    }
}

/// Whether the compressed prefix of a request lands; `None` where none was left to a worker, it has landed, or
/// nothing in it would be saved.
pub(crate) fn decide(
    scan: &Scan,
    known: &KnownPrefix,
    circumstances: Circumstances<'_>,
) -> Option<Landing> {
    let deferred = known.deferred.as_ref()?;
    if !is_awaited(scan, known) {
        return None;
    }
    let land = known.to_land().map(|it| it.place);
    let returned = known.to_return(scan).into_iter();
    let places = land.chain(returned.map(|at| scan.blocks[at].place));
    let first = places.map(|it| it.message as usize).min();
    let landing = match obstacle(scan, known, deferred, first.unwrap_or(usize::MAX)) {
        Some(obstacle) => Landing::Waits(obstacle),
        None => {
            let gain = || (rewrite::saved_tokens(scan, known), 0);
            occasion(scan, known, (deferred, gain), circumstances)
                .map_or(Landing::Waits(Obstacle::Warm), Landing::Lands)
        }
    };
    Some(landing)
}

/// Whether a compressed prefix is to land, or in the making. One that takes the place of forms that were sent, and with what goes back to
/// the original makes the messages no smaller, is as good as none.
pub(super) fn is_awaited(scan: &Scan, known: &KnownPrefix) -> bool {
    known.awaits_result()
        || known.to_land().next().is_some()
            && (!known.replaces_forms() || rewrite::saved_tokens(scan, known) > 0)
}

/// What keeps a result from landing that changes blocks from the message `first` on, whatever is cached.
fn obstacle(
    scan: &Scan,
    known: &KnownPrefix,
    deferred: &DeferredPrefix,
    first: usize,
) -> Option<Obstacle> {
    if !known.complete {
        return Some(Obstacle::StoreLate);
    }
    let is_bound = |record: &SentRecord| record.bound;
    if is_bound(&deferred.record) || known.oldest_record().is_some_and(is_bound) {
        return Some(Obstacle::Bound);
    }
    let Some(compressed) = &deferred.compressed else {
        return Some(Obstacle::NoResult);
    };
    if thinking_after(scan, first) {
        return Some(Obstacle::Bound);
    }
    let has_references = scan.references || !compressed.references;
    let is_same = has_references && same_blocks(scan, compressed);
    (!is_same).then_some(Obstacle::Changed)
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

/// Why it costs nothing to land the result for this prefix, or pays; `None` where neither is certain. `gain` gives the tokens that it saves, and
/// those that are read all the same of what stands before the first block that changes.
fn occasion(
    scan: &Scan,
    known: &KnownPrefix,
    (waits, gain): (&DeferredPrefix, impl FnOnce() -> (i64, u64)),
    circumstances: Circumstances<'_>,
) -> Option<Occasion> {
    let now_ms = circumstances.now_ms;
    if !seen_to_the_end(known, now_ms) {
        return None;
    }
    uncached(scan.cache, known, waits, now_ms).or_else(|| {
        let caches = waits.record.caches.as_ref()?;
        let models = caches.known.iter().map(|it| it.model.as_str());
        let (saved, kept_tokens) = gain();
        let change = Change {
            caches,
            rewrite: Rewrite::of((scan, known), saved, models)?,
            kept_tokens,
        };
        covered(scan, known, change, circumstances)
    })
}

/// Whether what the records say of the provider's cache is all there is to know: what was sent later without one may have left more there.
fn seen_to_the_end(known: &KnownPrefix, now_ms: u64) -> bool {
    let unrecorded_ms = known.unrecorded.at_ms;
    known.latest_record().is_some_and(|last| {
        unrecorded_ms <= last.sent_ms || now_ms > unrecorded_ms.saturating_add(UNKNOWN_LIFE_MS)
    })
}

/// Why the provider has certainly nothing of the deferred prefix in its cache; `None` where it may have.
fn uncached(
    cache: CacheLife,
    known: &KnownPrefix,
    deferred: &DeferredPrefix,
    now_ms: u64,
) -> Option<Occasion> {
    let last = known.latest_record()?;
    // What lands by a refresh may stand before the deferred prefix's own messages, where other branches keep it alive.
    let oldest_ms = known.oldest_record().map_or(0, |it| it.warm_until_ms);
    let warm_until_ms = deferred.record.warm_until_ms.max(oldest_ms);
    let expired = (now_ms > warm_until_ms).then_some(Occasion::Expired);
    match cache {
        CacheLife::Marked(_) => expired,
        CacheLife::Automatic(_) => {
            expired.or_else(|| never_cached(known).then_some(Occasion::Uncached))
        }
        // Without a marker nothing should have been cached; the response must have said so, or be long ago.
        CacheLife::None => {
            let forgotten = now_ms > last.sent_ms.saturating_add(UNKNOWN_LIFE_MS);
            expired.and_then(|expired| match last.usage {
                Some(usage) => usage.is_uncached().then_some(Occasion::Uncached),
                None => forgotten.then_some(expired),
            })
        }
    }
}

/// Whether a provider that caches by itself has shown that it does not: each request that continued a long prefix got a response without
/// a token from the cache, the last one soon after the one before it. One that only began a prefix proves nothing: it wrote what the next
/// would read.
fn never_cached(known: &KnownPrefix) -> bool {
    let mut records = known.chain.iter().map(|(_, record)| record.as_ref());
    let (Some(last), Some(before)) = (records.next(), records.next()) else {
        return false;
    };
    let is_long = |usage: Usage| usage.input >= SURELY_CACHED_TOKENS;
    let is_soon = last.sent_ms.saturating_sub(before.sent_ms) <= SURELY_CACHED_MS;
    let shows = last.start > 0 && last.usage.is_some_and(is_long) && is_soon;
    let none = |record: &SentRecord| record.usage.is_none_or(Usage::is_uncached);
    shows && known.chain.iter().all(|(_, record)| none(record))
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
