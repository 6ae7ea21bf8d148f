//! What a request tells of how often conversations go on, and how many more requests are expected of its own.

use crate::plan::known_prefix::KnownPrefix;
use crate::scan::{CacheLife, Scan};
use crate::totals::continuations::Continuations;

/// Smaller conversations tell nothing: a landing saves little in them, and many are of sub-agents and scripts, which end early. In estimated
/// tokens.
const MIN_TOKENS: u64 = 10_000;

/// What a request that goes out at `now_ms` tells of how often conversations go on; `None` where that is not known, where the same was sent
/// before, and where the provider caches nothing.
pub(crate) fn observed_continuation(
    scan: &Scan,
    known: &KnownPrefix,
    now_ms: u64,
) -> Option<Continuations> {
    let messages = scan.messages.len();
    let is_new = known.complete && known.frozen < messages;
    if !is_new || scan.cache == CacheLife::None || !is_large(scan, messages) {
        return None;
    }
    let last = known.latest_record();
    // After a longer pause a result lands without a loss, and after a compaction nothing of it is read any more.
    let in_time = last.is_some_and(|last| now_ms <= last.warm_until_ms)
        && scan.first_visible_message() < known.frozen
        && is_large(scan, known.frozen);
    let before = in_time.then(|| scan.turns_before(known.frozen));
    Some(Continuations::of_request(
        scan.turns_before(messages),
        before,
    ))
}

/// Whether so many messages are large enough to tell something.
fn is_large(scan: &Scan, messages: usize) -> bool {
    let points = &scan.resume_points;
    let begins = points.messages().map(|messages| messages.start);
    let bytes = points.message_end(messages).zip(begins);
    bytes.is_some_and(|(end, start)| scan.facts.tokens(end - start) >= MIN_TOKENS)
}

/// How many more requests are expected to read from the provider's cache what a landing in this one makes smaller, before it would have
/// landed without a loss or the conversation ends.
pub(super) fn expected_reads(scan: &Scan, continuations: &Continuations) -> f64 {
    continuations.expected_reads(scan.turns_before(scan.messages.len()))
}
