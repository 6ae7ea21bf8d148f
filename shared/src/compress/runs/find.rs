//! Finds runs: equal lines, and lines that differ in one field only.

use std::ops::Range;

use memchr::memchr;

use crate::compress::references::mark::is_mark;
use crate::compress::tokens::{Tokens, estimate};
use crate::compress::{Deadline, OPENING};

/// Stands in a line where the field of each line of a run stood.
pub(super) const FIELD: &str = "‹›";

/// What lines must share besides spaces to be like lines: indentation alone says nothing.
const MIN_SHARED_BYTES: usize = 8;

/// What a template line costs beyond what it shares: `[`, `×`, the count, `] ` and `‹›`.
const TEMPLATE: Tokens = Tokens::whole(6);

/// The same in bytes, to compare with bytes that lines share.
const TEMPLATE_BYTES: usize = 14;

/// What a run must save.
const MIN_GAIN: Tokens = Tokens::whole(6);

/// A run of lines that have beginning and end in common.
#[derive(Debug, Clone, Copy)]
pub(in crate::compress) struct Run {
    at: usize,
    pub(super) count: usize,
    pub(super) shared: Shared,
}

/// Bytes that the lines of a run have in common at each end. In equal lines the beginning is the whole line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared {
    pub(super) prefix: usize,
    pub(super) suffix: usize,
    pub(super) equal: bool,
}

impl Run {
    /// The lines of the text that it covers.
    pub(in crate::compress) fn lines(&self) -> Range<usize> {
        self.at..self.at + self.count
    }

    /// What it saves, given its first line.
    fn gain(&self, first: &str) -> Tokens {
        if self.count == 1 {
            return Tokens::default();
        }
        let Shared { prefix, suffix, .. } = self.shared;
        let end = estimate(&first[first.len() - suffix..]);
        let line_break = if self.shared.equal {
            estimate("\n")
        } else {
            Tokens::default()
        };
        let shared = estimate(&first[..prefix]) + end + line_break;
        (shared * (self.count - 1)).saturating_sub(TEMPLATE)
    }
}

impl Shared {
    fn bytes(self) -> usize {
        self.prefix + self.suffix + usize::from(self.equal)
    }
}

/// The runs that are worth it, from the first line on, each as long as it gains. Linear: a run that is not worth it has at most a
/// few lines, and every other line is compared with its run's first line only.
pub(in crate::compress) fn find(lines: &[&str], deadline: Deadline) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut at = 0;
    for line in deadline.limit(0..lines.len()) {
        if line < at {
            continue;
        }
        let run = run_at(lines, at);
        if run.gain(lines[at]) >= MIN_GAIN && (run.shared.equal || run.count > 2) {
            at = run.lines().end;
            runs.push(run);
        } else {
            at += 1;
        }
    }
    runs
}

/// The run that begins at a line; it may be of one line.
fn run_at(lines: &[&str], at: usize) -> Run {
    let first = lines[at];
    let mut run = Run {
        at,
        count: 1,
        shared: Shared {
            prefix: first.len(),
            suffix: 0,
            equal: true,
        },
    };
    if is_set_apart(first) {
        return run;
    }
    // What they share before it is cut back to whole words.
    let mut common = (first.len(), first.len());
    let mut shortest = first.len();
    for (next, line) in lines.iter().enumerate().skip(at + 1) {
        if run.shared.equal && *line == first {
            run.count += 1;
            continue;
        }
        // Three equal lines say more as a run of their own.
        if lines[next..].get(..3).is_some_and(all_equal) {
            break;
        }
        shortest = shortest.min(line.len());
        common = narrow(common, shortest, first, line);
        let shared = whole_words(first, common);
        let lost = run.count * run.shared.bytes().saturating_sub(shared.bytes());
        let pays = run.count == 1 || lost <= shared.bytes() + TEMPLATE_BYTES;
        if !says_enough(first, shared) || !pays || is_mark(line) {
            break;
        }
        run.shared = shared;
        run.count += 1;
    }
    run
}

/// Whether a line belongs to no run.
fn is_set_apart(line: &str) -> bool {
    // Most lines lack the first byte of a field's sign, and looking for one byte is fast.
    let may_have_field = memchr(FIELD.as_bytes()[0], line.as_bytes()).is_some();
    may_have_field && line.contains(FIELD) || line.starts_with(OPENING) || is_mark(line)
}

fn all_equal(lines: &[&str]) -> bool {
    lines.windows(2).all(|pair| pair[0] == pair[1])
}

/// The beginning and end that `line` has in common with `first` and all the lines before it.
fn narrow(
    (prefix, suffix): (usize, usize),
    shortest: usize,
    first: &str,
    line: &str,
) -> (usize, usize) {
    let equal = |(a, b): &(u8, u8)| a == b;
    let ahead = first.bytes().zip(line.bytes()).take(prefix);
    let prefix = ahead.take_while(equal).count();
    let back = first.bytes().rev().zip(line.bytes().rev());
    let back = back.take(suffix.min(shortest - prefix));
    (prefix, back.take_while(equal).count())
}

/// Cuts what is shared back to where the field begins and ends with whole words, so that it reads as a name or a number. Only
/// ASCII sets words apart, so the cuts are between characters.
fn whole_words(line: &str, (prefix, suffix): (usize, usize)) -> Shared {
    let apart = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'_';
    let bytes = line.as_bytes();
    let prefix = bytes[..prefix].iter().rposition(apart).map_or(0, |p| p + 1);
    let end = &bytes[bytes.len() - suffix..];
    let suffix = end.iter().position(apart).map_or(0, |p| suffix - p);
    Shared {
        prefix,
        suffix,
        equal: false,
    }
}

fn says_enough(line: &str, shared: Shared) -> bool {
    let bytes = line.as_bytes();
    let start = bytes[..shared.prefix].iter();
    let end = bytes[bytes.len() - shared.suffix..].iter();
    start
        .chain(end)
        .filter(|byte| !byte.is_ascii_whitespace())
        .nth(MIN_SHARED_BYTES - 1)
        .is_some()
}
