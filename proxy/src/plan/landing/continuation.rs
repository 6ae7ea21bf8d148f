//! What a request tells of how often conversations go on, and how many more requests are expected of its own.

use crate::learned::continuations::Continuations;
use crate::plan::known_prefix::KnownPrefix;
use crate::scan::Scan;

/// What a request that goes out at `now_ms` tells of how often conversations go on; `None` where that is not known, and where the same was
/// sent before.
pub(crate) fn observed(scan: &Scan, known: &KnownPrefix, now_ms: u64) -> Option<Continuations> {
    let messages = scan.messages.len();
    if !known.complete || known.frozen >= messages {
        return None;
    }
    let last = known.latest_record();
    // After a longer pause a result would have landed for nothing.
    let in_time = last.filter(|last| now_ms <= last.warm_until_ms);
    let before = in_time.map(|_| scan.turns_before(known.frozen));
    Some(Continuations::of_request(
        scan.turns_before(messages),
        before,
    ))
}

/// How many more requests are expected to read from the provider's cache what a landing in this one makes smaller, before it would have
/// landed without a loss or the conversation ends.
pub(super) fn expected_reads(scan: &Scan, continuations: &Continuations) -> f64 {
    continuations.expected_reads(scan.turns_before(scan.messages.len()))
}
