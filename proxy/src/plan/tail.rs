//! Which large new blocks of a request are left to a worker alone: a tail job. Only a model would shrink them much, which takes too long for a
//! request. They go out as they are, and the job's result lands in one of the next requests, where that pays, or once nothing of them is
//! cached any more.

use headroom_shared::compress::shorten::is_prose;
use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::output_kind::OutputKinds;

use super::blocks::{self, Blocks};
use super::{Plan, Request, first_send, refresh};

/// The blocks that a tail job is pushed for, by their positions, in order: those of which more than `tail_tokens` go out for the first time,
/// nothing was left out, and a model may leave something out. 0 tokens: none.
pub(super) fn due(
    request: &Request<'_>,
    (tail_tokens, whole_kinds): (u64, OutputKinds),
    plan: &Plan,
) -> Vec<usize> {
    let Request {
        body, scan, known, ..
    } = *request;
    if tail_tokens == 0 || request.tier.is_lossless() || !refresh::may_land(scan, known) {
        return Vec::new();
    }
    let first_new = first_send::first_new_block(scan, known);
    let skipped = plan.skipped.iter();
    let skipped = skipped.map(|(at, _)| (*at, scan.blocks[*at].span.len()));
    let lossless = plan.newly_compressed.iter();
    let lossless = lossless.filter(|(_, form)| form.original.is_none());
    let lossless = lossless.map(|(at, form)| (*at, form.text.len()));
    let sent = skipped.chain(lossless).filter(|(at, _)| *at >= first_new);
    let large = sent.filter(|(_, bytes)| scan.facts.tokens(*bytes) > tail_tokens);
    let mut large: Vec<usize> = large.map(|(at, _)| at).collect();
    if large.is_empty() {
        return large;
    }
    large.sort_unstable();
    let fetched = blocks::fetched(body, scan);
    let mut blocks = Blocks::new(body, scan);
    large.retain(|at| {
        blocks.unescaped(*at).is_some_and(|block| {
            let source = block.source();
            let original = OriginalId::of(block.block);
            is_prose(source) && !fetched.keeps(original, source, whole_kinds)
        })
    });
    large
}
