//! [`covered`]: what a landing in a cache that may be alive may lose, and whether the conversation has saved that.

use headroom_shared::contract::record::{Caches, KnownCache};

use super::continuation::expected_reads;
use super::rewrite::Rewrite;
use super::{Circumstances, Occasion};
use crate::plan::known_prefix::KnownPrefix;
use crate::scan::{CacheLife, Scan};

/// What a landing may lose must be covered this many times, because tokens and savings are estimated.
const COVER: f64 = 1.1;
/// A landing near the tail is cheap, and mostly soon after what it changes: so it must be covered too that the client goes back to before it, and
/// what was cached there is lost once more.
const TAIL_TIMES: f64 = 2.0;

/// What a landing changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'a> {
    /// In which caches it may be.
    pub(super) caches: &'a Caches,
    /// What is written anew in any of them.
    pub(super) rewrite: Rewrite,
    /// Tokens that the request at hand surely reads all the same, because an entry ends before what changes.
    pub(super) kept_tokens: u64,
}

/// Why a result lands although the provider may have its prefix in a cache: whatever that may lose, also where the client goes back to settings
/// with which it may be cached, is covered by what the conversation has saved.
pub(super) fn covered(
    scan: &Scan,
    known: &KnownPrefix,
    change: Change<'_>,
    circumstances: Circumstances<'_>,
) -> Option<Occasion> {
    let Circumstances { prices, now_ms, .. } = circumstances;
    let Change {
        caches, rewrite, ..
    } = change;
    let settings = scan.settings?;
    if scan.cache == CacheLife::None || known.latest_record()?.sent_ms != caches.last_ms {
        return None;
    }
    let (label, price) = prices.labelled(&scan.model);
    let alive = caches.known.iter().filter(|it| it.until_ms >= now_ms);
    let (own, others): (Vec<_>, Vec<_>) = alive.partition(|it| it.settings == settings.all);
    let others: Vec<_> = others
        .into_iter()
        .map(|it| (it, prices.labelled(&it.model)))
        .collect();
    if price.is_guess || others.iter().any(|(_, (_, price))| price.is_guess) {
        return None;
    }
    let costs = others.iter().map(|(it, (_, price))| {
        let cost = rewrite.cost_later(&it.model, &price.rates);
        cost.max(0.0)
    });
    let on_return: f64 = costs.sum();
    let now = rewrite.cost(scan.cache, &price.rates);
    // Prices may be as large as numbers are.
    if !(now + on_return).is_finite() {
        return None;
    }
    let saved = saved_so_far(known);
    if !own.is_empty() {
        let kept = change.kept_tokens;
        let now = rewrite.behind(kept).cost(scan.cache, &price.rates);
        let reads = expected_reads(scan, circumstances.continuations)
            * rewrite.saved_by_reading(&price.rates);
        let times = if kept > 0 { TAIL_TIMES } else { 1.0 };
        let is_covered = saved >= COVER * (times * now.max(0.0) + on_return);
        let occasion = match kept {
            0 => Occasion::Pays,
            _ => Occasion::Tail,
        };
        return (reads >= now && is_covered).then_some(occasion);
    }
    // Whatever else the provider takes for the same settings, it has a cache for each model and for each set of tools.
    let is_another = |(it, (other, _)): &(&KnownCache, (String, _))| {
        let tools = it.tools.zip(settings.tools);
        *other != label || tools.is_some_and(|(its, own)| its != own)
    };
    let is_sure = now_ms > caches.unseen_until_ms && others.iter().all(is_another);
    let is_covered = if is_sure {
        saved + rewrite.saved_by_writing(scan.cache, &price.rates) >= COVER * on_return
    } else {
        saved >= COVER * (now.max(0.0) + on_return)
    };
    is_covered.then_some(Occasion::Invalidated)
}

/// What the conversation has cost less than directly, in dollars; negative where it has cost more.
fn saved_so_far(known: &KnownPrefix) -> f64 {
    let mut bills = known.chain.iter().filter_map(|(_, record)| record.bill);
    let last = bills.next();
    last.map_or(0.0, |bill| {
        bill.conversation_shadow_usd - bill.conversation_usd
    })
}
