//! Windows: a few lines in a row, by whose hash a run of lines is found.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::compress::earlier::hash;
use crate::compress::{Deadline, OPENING};

/// How many lines in a row are looked up together.
pub(super) const WINDOW: usize = 3;

/// The least text of such lines: windows of brackets and blank lines are everywhere.
const MIN_WINDOW_BYTES: usize = 30;

/// A line this long is looked up by itself.
const LONG_LINE_BYTES: usize = 200;

/// A few lines by which a run can be found.
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

/// The hash of a window, from those of its lines.
fn hash_of(lines: &[u64]) -> u64 {
    let mut bytes = [0; WINDOW * size_of::<u64>()];
    for (bytes, line) in bytes.chunks_exact_mut(size_of::<u64>()).zip(lines) {
        bytes.copy_from_slice(&line.to_le_bytes());
    }
    xxh3_64(&bytes)
}

/// Every window of a text: any three lines that say enough, and any long line by itself. At most one for every ten bytes. To be used only
/// where the result is thrown away after the deadline.
pub(in crate::compress) fn windows(lines: &[&str], deadline: Deadline) -> Vec<Window> {
    let mut hashes: Vec<u64> = Vec::with_capacity(lines.len());
    hashes.extend(deadline.limit(lines).map(|line| hash(line)));
    let window = |line: usize| {
        let alone = lines[line].len() >= LONG_LINE_BYTES;
        let count = if alone { 1 } else { WINDOW };
        let window = lines.get(line..line + count)?;
        let hashes = hashes.get(line..line + count)?;
        let header = window.iter().any(|line| line.starts_with(OPENING));
        (says_enough(window) && !header).then(|| Window {
            line,
            count,
            hash: hash_of(hashes),
        })
    };
    deadline.limit(0..lines.len()).filter_map(window).collect()
}

fn says_enough(lines: &[&str]) -> bool {
    let mut left = MIN_WINDOW_BYTES;
    // The first of them are mostly enough.
    lines.iter().any(|line| {
        left = left.saturating_sub(line.trim_ascii().len());
        left == 0
    })
}
