//! Windows: a few lines in a row, by whose hash a run of lines is found.

use std::ops::Range;

use crate::compress::earlier::hash;
use crate::compress::{Deadline, OPENING};

/// How many lines in a row are looked up together.
pub(super) const WINDOW: usize = 3;

/// The least text of such lines: windows of brackets and blank lines are everywhere.
const MIN_WINDOW_BYTES: usize = 30;

/// A line this long is looked up by itself.
const LONG_LINE_BYTES: usize = 200;

/// The hashes of a window's lines are mixed by a rotation and a multiplication, as `FxHash` does: the factor is 2^64 divided by the golden ratio.
const ROTATION: u32 = 26;
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A few lines by which a run can be found.
#[derive(Debug, Clone, Copy)]
pub(in crate::compress) struct Window {
    /// Its first line, counted from 0.
    pub(in crate::compress) line: usize,
    count: usize,
    pub(in crate::compress) hash: u64,
}

impl Window {
    /// The lines it covers.
    pub(in crate::compress) fn lines(&self) -> Range<usize> {
        self.line..self.line + self.count
    }
}

/// The hash of a window, from those of its lines, whose order counts.
fn hash_of(lines: &[WindowLine]) -> u64 {
    let hashes = lines.iter().map(|line| line.hash);
    hashes.fold(0, |all: u64, line| {
        (all.rotate_left(ROTATION) ^ line).wrapping_mul(ODD)
    })
}

/// What a window is made of.
struct WindowLine {
    hash: u64,
    /// Bytes without the white space around them.
    bytes: usize,
    is_header: bool,
}

impl WindowLine {
    fn of(line: &str) -> Self {
        Self {
            hash: hash(line),
            bytes: line.trim_ascii().len(),
            is_header: line.starts_with(OPENING),
        }
    }
}

/// Every window of a text: any three lines that say enough, and any long line by itself. At most one for every ten bytes. To be used only
/// where the result is thrown away after the deadline.
pub(in crate::compress) fn windows(lines: &[&str], deadline: Deadline) -> Vec<Window> {
    let mut parts: Vec<WindowLine> = Vec::with_capacity(lines.len());
    parts.extend(deadline.limit(lines).map(|line| WindowLine::of(line)));
    let window = |line: usize| {
        let alone = lines[line].len() >= LONG_LINE_BYTES;
        let count = if alone { 1 } else { WINDOW };
        let window = parts.get(line..line + count)?;
        let bytes: usize = window.iter().map(|line| line.bytes).sum();
        let has_header = window.iter().any(|line| line.is_header);
        (bytes >= MIN_WINDOW_BYTES && !has_header).then(|| Window {
            line,
            count,
            hash: hash_of(window),
        })
    };
    let bytes: usize = parts.iter().map(|line| line.bytes).sum();
    let most = lines.len().min(bytes * WINDOW / MIN_WINDOW_BYTES);
    let mut windows = Vec::with_capacity(most);
    windows.extend(deadline.limit(0..lines.len()).filter_map(window));
    windows
}
