//! What stays of long outputs of commands.

use super::Selection;
use crate::compress::Source;

/// The lines that stay of the output of a command that runs tests, builds, lists or logs; `None` for every other text.
pub(super) fn select(_block: Source<'_>) -> Option<Selection> {
    None
}
