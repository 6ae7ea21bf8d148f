//! Counts and logs what was decided for a request: of the blocks that are sent for the first time and are not compressed, and of the prefix
//! that was left to a worker.

use crate::app::App;
use crate::plan::blocks;
use crate::plan::landing::Landing;
use crate::plan::skip_reason::SkippedBlocks;
use crate::scan::Scan;

/// Counts what becomes of a request's prefix that was left to a worker, and logs it: a landing at `info`, waiting at `debug`.
pub(crate) fn report_landing(app: &App, landing: Landing, blocks: usize) {
    app.counts.landing(landing);
    let reason = landing.name();
    if landing.lands() {
        tracing::info!(reason, blocks, "a compressed prefix landed");
    } else {
        tracing::debug!(reason, "a compressed prefix does not land in this request");
    }
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
