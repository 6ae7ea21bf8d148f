//! What references in a text may lead to, and which of its lines they may replace.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::compress::Earlier;
use crate::compress::call::Call;
use crate::compress::line_numbers::strip::is_header;
use crate::compress::lookup::Line;

/// What a reference from one read of a file to another must replace: few lines among others are mostly those that an agent is about to
/// edit.
pub(in crate::compress) const MIN_READ_BYTES: usize = 5_000;

/// What stands in lines that report a failure. An agent needs them where it meets them.
const FAILURES: [&str; 10] = [
    "Traceback (most recent call last)",
    "  File \"",
    "    at ",
    "Error:",
    "Exception:",
    "error:",
    "error[",
    "panic:",
    "panicked at",
    "FAIL",
];

/// Finds them.
static SEARCHER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(FAILURES).ok());

/// Whether a line may report a failure.
fn reports_failure(line: &str) -> bool {
    SEARCHER
        .as_ref()
        .is_none_or(|searcher| searcher.is_match(line))
}

/// What references in a text may lead to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    /// In what a file holds: the same file, as it was read or written before. An agent that reads a part of it wants that to edit it, so it
    /// stays where it is unless the model wrote it itself.
    SameFile(&'a Call),
    /// Anything, but no line of this text that reports a failure is replaced.
    Anything,
}

impl<'a> Target<'a> {
    pub(super) fn of(lines: &[&str], call: &'a Call) -> Self {
        let had_numbers = lines.first().is_some_and(|line| is_header(line));
        match had_numbers || call.reads_file {
            true => Self::SameFile(call),
            false => Self::Anything,
        }
    }

    pub(super) fn allows(self, source: Line, earlier: &Earlier) -> bool {
        let Self::SameFile(call) = self else {
            return true;
        };
        let Some(block) = earlier.block(source.block) else {
            return false;
        };
        if block.is_behind_file(source.line as usize) {
            return true;
        }
        if call.reads_part && !block.is_from_model {
            return false;
        }
        match (&call.file, block.file.as_deref()) {
            (None, None) => true,
            (_, file) => call.is_of_file(file),
        }
    }

    /// The least that may be replaced by a reference there.
    pub(super) fn min_bytes(self, source: Line, earlier: &Earlier) -> usize {
        let is_read = earlier.block(source.block).is_some_and(|block| {
            !block.is_from_model && !block.is_behind_file(source.line as usize)
        });
        match self {
            Self::SameFile(_) if is_read => MIN_READ_BYTES,
            Self::SameFile(_) | Self::Anything => 0,
        }
    }

    pub(super) fn may_replace(self, line: &str) -> bool {
        match self {
            Self::SameFile(_) => true,
            Self::Anything => !reports_failure(line),
        }
    }
}
