//! Replaces lines that appear word for word earlier in the same prefix by one line that says where.

use std::ops::Range;

use super::earlier::hash;
use super::label::one_line;
use super::lookup::Line;
use super::{Compressor, Deadline, Earlier, OPENING, lines, with_header};

const HEADER: &str = "a line \"[lines A-B of #N again; …]\" stands for lines that block #N of this conversation already shows word for word";

const MARK: &str = "[lines ";

/// How many lines in a row are looked up together.
const WINDOW: usize = 3;

/// The least text of such lines: windows of brackets and blank lines are everywhere.
const MIN_WINDOW_BYTES: usize = 30;

/// A line this long is looked up by itself.
const LONG_LINE_BYTES: usize = 200;

/// What a reference must save beyond its own length, so that it is worth the model's looking it up.
const MIN_GAIN_BYTES: usize = 80;

pub(super) struct References;

impl Compressor for References {
    fn compress(&self, text: &str, earlier: &Earlier) -> Option<String> {
        if earlier.has_no_lines() {
            return None;
        }
        let lines = lines(text);
        let found = find(&lines, &windows(&lines, earlier.deadline), earlier);
        if found.is_empty() || lines.iter().any(|line| is_mark(line)) {
            return None;
        }
        let mut body = String::new();
        let mut at = 0;
        for reference in found {
            for line in &lines[at..reference.at] {
                body.push_str(line);
                body.push('\n');
            }
            body.push_str(&reference.mark(&lines, earlier)?);
            body.push('\n');
            at = reference.lines().end;
        }
        for line in &lines[at..] {
            body.push_str(line);
            body.push('\n');
        }
        body.pop();
        Some(with_header(HEADER, &body))
    }

    fn expand(&self, header: &str, body: &str, earlier: &Earlier) -> Option<String> {
        if header != HEADER {
            return None;
        }
        let mut text = String::with_capacity(body.len());
        for line in body.split('\n') {
            match line.strip_prefix(MARK) {
                Some(mark) => write_lines(&mut text, mark, earlier)?,
                None => {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        text.pop();
        Some(text)
    }
}

/// Whether a line is one of those that [`References`] puts in.
pub(super) fn is_mark(line: &str) -> bool {
    line.starts_with(MARK)
}

/// A run of lines and where it appears earlier.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference {
    at: usize,
    count: usize,
    source: Line,
}

impl Reference {
    /// The lines of the text that it replaces.
    pub(super) fn lines(&self) -> Range<usize> {
        self.at..self.at + self.count
    }

    fn mark(&self, lines: &[&str], earlier: &Earlier) -> Option<String> {
        let number = self.source.block as usize + 1;
        let label = earlier.label(number)?;
        let block = earlier.block(self.source)?;
        let first = block.line_number(self.source.line as usize)?;
        let last = first.checked_add(i64::try_from(self.count).ok()?)? - 1;
        let spoken = lines[self.lines()]
            .iter()
            .find(|line| !line.trim().is_empty());
        let quote = one_line(spoken.map_or("", |line| line.trim()), 40);
        Some(format!(
            "{MARK}{first}-{last} of #{number} again; {label}; from \"{quote}\"]"
        ))
    }
}

/// The runs of lines of a text that appear earlier, each the longest that its beginning has. Linear: a candidate that is too
/// short is given up after a bounded number of bytes, and one that is taken is not looked at again.
pub(super) fn find(lines: &[&str], windows: &[Window], earlier: &Earlier) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut done = 0;
    for window in earlier.deadline.limit(windows) {
        if window.line < done {
            continue;
        }
        let best = earlier
            .find_window(window.hash)
            .filter_map(|source| extend(lines, window.line, done, source, earlier))
            .reduce(|best, next| if next.count > best.count { next } else { best });
        if let Some(reference) = best
            && is_worth(&reference, lines, earlier)
        {
            done = reference.lines().end;
            found.push(reference);
        }
    }
    found
}

fn is_worth(reference: &Reference, lines: &[&str], earlier: &Earlier) -> bool {
    let bytes: usize = lines[reference.lines()].iter().map(|l| l.len() + 1).sum();
    bytes > MIN_GAIN_BYTES
        && reference
            .mark(lines, earlier)
            .is_some_and(|mark| bytes >= mark.len() + MIN_GAIN_BYTES)
}

/// The longest run around `at` that is equal to the lines around `source`, not reaching back before `done`.
fn extend(
    lines: &[&str],
    at: usize,
    done: usize,
    source: Line,
    earlier: &Earlier,
) -> Option<Reference> {
    let block = earlier.block(source)?;
    let first = source.line as usize;
    let equal = |at: usize, line: usize| {
        let shown = block.shown(line);
        shown.is_some() && shown == lines.get(at).copied()
    };
    let back = (1..=(at - done).min(first))
        .take_while(|back| equal(at - back, first - back))
        .count();
    let ahead = (0..lines.len() - at)
        .take_while(|ahead| equal(at + ahead, first + ahead))
        .count();
    Some(Reference {
        at: at - back,
        count: back + ahead,
        source: Line {
            line: u32::try_from(first - back).ok()?,
            ..source
        },
    })
}

/// A few lines by which a run can be found.
pub(super) struct Window {
    /// Its first line, counted from 0.
    pub(super) line: usize,
    count: usize,
    pub(super) hash: u64,
}

impl Window {
    /// The lines it covers.
    pub(super) fn lines(&self) -> Range<usize> {
        self.line..self.line + self.count
    }
}

/// Every window of a text: any three lines that say enough, and any long line by itself. At most one for every ten bytes. To be used only
/// where the result is thrown away after the deadline.
pub(super) fn windows(lines: &[&str], deadline: Deadline) -> Vec<Window> {
    let mut hashes: Vec<u64> = Vec::with_capacity(lines.len());
    hashes.extend(deadline.limit(lines).map(hash));
    let window = |line: usize| {
        let alone = lines[line].len() >= LONG_LINE_BYTES;
        let count = if alone { 1 } else { WINDOW };
        let window = lines.get(line..line + count)?;
        let bytes: usize = window.iter().map(|line| line.trim_ascii().len()).sum();
        let header = window.iter().any(|line| line.starts_with(OPENING));
        let hashes = hashes.get(line..line + count)?;
        (bytes >= MIN_WINDOW_BYTES && !header).then(|| Window {
            line,
            count,
            hash: hash(hashes),
        })
    };
    deadline.limit(0..lines.len()).filter_map(window).collect()
}

/// Appends the lines that a mark, given without [`MARK`], replaces.
fn write_lines(text: &mut String, mark: &str, earlier: &Earlier) -> Option<()> {
    let (range, rest) = mark.split_once(" of #")?;
    let (number, _) = rest.split_once(' ')?;
    let (first, last) = range.rsplit_once('-')?;
    let number = number.parse().ok()?;
    for line in first.parse().ok()?..=last.parse().ok()? {
        text.push_str(earlier.numbered_line(number, line)?);
        text.push('\n');
    }
    Some(())
}
