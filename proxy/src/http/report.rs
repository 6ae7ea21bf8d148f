//! Counts and logs the blocks that go out in the original when they are sent first.

use crate::app::App;
use crate::plan::blocks;
use crate::plan::uncompressed::Left;
use crate::scan::Scan;

/// Counts the blocks of a request that go out in the original, and logs each at `debug`.
pub(crate) fn report(app: &App, body: &[u8], scan: &Scan, left: &Left) {
    for (index, reason) in left {
        app.counts.uncompressed(*reason);
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
