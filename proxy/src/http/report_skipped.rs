//! Counts and logs the blocks that are sent for the first time and are not compressed.

use crate::app::App;
use crate::plan::blocks;
use crate::plan::skip_reason::SkippedBlocks;
use crate::scan::Scan;

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
