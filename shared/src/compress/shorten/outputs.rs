//! What stays of long outputs of tools.

use super::call_kind::kind_of;
use super::{Selection, listings, messages, reports, searches};
use crate::compress::Source;
use crate::compress::lines::lines;
use crate::contract::output_kind::OutputKind;

/// A shorter output stays whole, in bytes.
const MIN_BYTES: usize = 1000;

/// Of each hundred bytes of a report so many stay at least.
const REPORT_PERCENT: usize = 50;

/// The lines that stay of a tool's output; `None` for every text that may be what a file holds, data, or a user's.
pub(super) fn select(block: Source<'_>) -> Option<Selection> {
    if block.text.len() < MIN_BYTES {
        return None;
    }
    let kind = kind_of(block);
    let lines = lines(block.text);
    let shown = match kind {
        OutputKind::Messages => messages::shown(block, &lines),
        OutputKind::Search => searches::shown(block, &lines),
        OutputKind::Listing => listings::shown(block, &lines),
        OutputKind::Report => reports::shown(block, &lines, REPORT_PERCENT),
        OutputKind::Read | OutputKind::Other => None,
    };
    Selection::new(shown?)
}
