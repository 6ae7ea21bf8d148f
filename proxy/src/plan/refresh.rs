//! When a prefix that has been sent for long is compressed anew by a worker: a refresh. Its result lands as that of a cold start does.
//!
//! Texts stay in the original where there was no time for them when they were sent first, or where they may have been sent before the proxy
//! was there. A refresh makes their forms once the conversation has grown.

use headroom_shared::contract::tier::Tier;

use super::known_prefix::KnownPrefix;
use super::landing;
use super::skip_reason::{SkipReason, SkippedBlocks};
use crate::scan::Scan;

/// So many tokens that no form was looked for are worth a job.
const MIN_UNTRIED_TOKENS: u64 = 2_000;

/// Tokens of those blocks among the skipped ones for which no form was looked for, or the form could not be stored.
pub(super) fn untried_tokens(scan: &Scan, skipped: &SkippedBlocks) -> u64 {
    let untried = skipped.iter().filter(|(_, reason)| is_untried(*reason));
    let bytes = untried.map(|(index, _)| scan.blocks[*index].span.len());
    scan.facts.tokens(bytes.sum())
}

const fn is_untried(reason: SkipReason) -> bool {
    match reason {
        SkipReason::EntryBudget
        | SkipReason::FleetLate
        | SkipReason::StoreLate
        | SkipReason::MaybeSentBefore => true,
        SkipReason::Floor
        | SkipReason::NoGain
        | SkipReason::ReferencesOff
        | SkipReason::ConversationLost
        | SkipReason::Failed => false,
    }
}

/// Whether a request's prefix is to be compressed anew: its messages have grown by so many tokens since the last result, no result is
/// awaited, and enough of it was never tried, with what is in the request itself (`own_untried`), or is old, where old texts may be shortened.
/// 0 tokens: never.
pub(super) fn is_due(
    scan: &Scan,
    known: &KnownPrefix,
    (refresh_tokens, tier): (u64, Tier),
    own_untried: u64,
) -> bool {
    if refresh_tokens == 0 || !may_land(scan, known) || landing::is_awaited(scan, known) {
        return false;
    }
    // The first request that was seen. Thinking from before it may be of a model that binds it.
    let oldest = known.chain.len() - 1;
    let unseen = &scan.messages[..known.messages_of(oldest)];
    if unseen.iter().any(|message| message.thinking) {
        return false;
    }
    let has_result = known.chain.iter().position(|(prefix, record)| {
        let deferred = known.deferred.as_ref();
        record.landed_whole() || deferred.is_some_and(|deferred| deferred.prefix == *prefix)
    });
    // Those since the last result, or all.
    let since = &known.chain[..has_result.unwrap_or(known.chain.len())];
    let untried: u64 = since.iter().map(|(_, record)| record.untried).sum();
    let grown_from = known.messages_of(has_result.unwrap_or(oldest));
    let points = &scan.resume_points;
    let end = points.messages().map_or(0, |messages| messages.end);
    let grown = end.saturating_sub(points.message_end(grown_from).unwrap_or(end));
    scan.facts.tokens(grown) >= refresh_tokens
        && (!tier.is_lossless() || untried.saturating_add(own_untried) >= MIN_UNTRIED_TOKENS)
}

/// Whether what a worker makes of a request's prefix could land at all: all is known of it, and no model may have bound its thinking to it.
pub(super) fn may_land(scan: &Scan, known: &KnownPrefix) -> bool {
    known.complete
        && !known.chain.is_empty()
        && known.gap.is_none()
        && known.unrecorded.messages == 0
        && !landing::binds(scan)
        // Another model may have thought before.
        && !known.chain.iter().any(|(_, record)| record.bound)
}
