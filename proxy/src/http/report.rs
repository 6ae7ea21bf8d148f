//! Counts and logs what was decided for a request: of the blocks that are sent for the first time and are not compressed, and of the prefix
//! that was left to a worker.

use headroom_shared::runtime::truncated::logged;

use crate::app::App;
use crate::plan::landing::{Landing, Obstacle};
use crate::plan::skip_reason::SkippedBlocks;
use crate::plan::{FinalPlan, blocks};
use crate::scan::Scan;

/// Counts what becomes of a request's prefix that was left to a worker, and logs it: a landing at `info`, waiting at `debug`. Gives its name.
pub(crate) fn report_landing(app: &App, plan: &FinalPlan) -> Option<&'static str> {
    let landing = plan.landing?;
    app.counts.landing(landing);
    let reason = landing.name();
    if landing.lands() {
        tracing::info!(reason, blocks = plan.landed, "a compressed prefix landed");
    } else {
        tracing::debug!(reason, "a compressed prefix does not land in this request");
    }
    Some(reason)
}

/// The same of a cold start that is not left to a worker, because nothing could land.
pub(crate) fn report_not_deferred(app: &App, scan: &Scan) -> Option<&'static str> {
    let bound = Landing::Waits(Obstacle::Bound);
    app.counts.landing(bound);
    tracing::info!(
        model = logged(&scan.model),
        "a cold start is not deferred: thinking is bound to what a result would change, so it could never land"
    );
    Some(bound.name())
}

/// Counts the skipped blocks of a request, and logs each at `debug`.
pub(crate) fn report_skipped(app: &App, body: &[u8], scan: &Scan, skipped: &SkippedBlocks) {
    for (index, reason) in skipped {
        app.counts.skipped(*reason);
        if tracing::enabled!(tracing::Level::DEBUG) {
            let block = &scan.blocks[*index];
            tracing::debug!(
                reason = reason.name(),
                block.message = block.place.message,
                block.part = block.place.part,
                block.inner = block.place.inner,
                block.bytes = block.span.len(),
                block.tool = blocks::tool(body, scan, block),
                "a new block goes out in the original"
            );
        }
    }
}
