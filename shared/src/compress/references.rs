//! Replaces lines that appear word for word earlier in the same prefix by one line that says where.

use std::ops::Range;

use super::call::{Call, one_line};
use super::earlier::{LineNames, hash};
use super::lookup::Line;
use super::search::is_search;
use super::size::{LINE_BREAK, cost};
use super::{Compressor, Context, Deadline, Earlier, OPENING, each_line, lines, with_header};

const HEADER: &str = "\"[lines A-B of …]\": the same lines, word for word, as there";

const NUMBERS: &str = "[lines ";
const LAST: &str = "[last ";
const LAST_LINES: &str = " lines";
const OF: &str = " of ";
const QUOTE: &str = ": \"";
const QUOTE_END: &str = "\"";
const END: &str = "]";

/// Characters of the first words of the lines that a mark shows.
const QUOTE_CHARS: usize = 24;

/// Letters that a line must have to say something.
const MIN_QUOTED_LETTERS: usize = 4;

/// How many lines in a row are looked up together.
const WINDOW: usize = 3;

/// The least text of such lines: windows of brackets and blank lines are everywhere.
const MIN_WINDOW_BYTES: usize = 30;

/// A line this long is looked up by itself.
const LONG_LINE_BYTES: usize = 200;

/// What a reference must save, in thousandths of a token, so that it is worth the model's looking it up.
const MIN_GAIN: usize = 28_000;

/// What a reference from one read of a file to another must replace: few lines among others are mostly those that an agent is about to edit.
const MIN_READ_BYTES: usize = 3_000;

/// In search results, fewer lines are left where they are.
const MIN_SEARCH_LINES: usize = 6;

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

pub(super) struct References;

impl Compressor for References {
    fn compress(&self, text: &str, context: Context<'_>) -> Option<String> {
        let earlier = context.earlier;
        if earlier.has_no_lines() {
            return None;
        }
        let lines = lines(text);
        let mut found = find(&lines, &windows(&lines, earlier.deadline), context);
        let is_short = |found: &Reference| found.count < MIN_SEARCH_LINES;
        if found.iter().any(is_short) && is_search(text, earlier.deadline) {
            found.retain(|found| !is_short(found));
        }
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
        for line in each_line(body) {
            if is_mark(line) {
                write_lines(&mut text, line, earlier)?;
            } else {
                text.push_str(line);
                text.push('\n');
            }
        }
        text.pop();
        Some(text)
    }
}

/// Whether a line is one of those that [`References`] puts in, or looks like one.
pub(super) fn is_mark(line: &str) -> bool {
    line.starts_with(NUMBERS) || line.starts_with(LAST)
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
        let first = self.source.line as usize;
        let block = earlier.block(self.source.block)?;
        let names = match block.line_names(first..first + self.count)? {
            LineNames::Numbers(first, last) => format!("{NUMBERS}{first}-{last}"),
            LineNames::Last(count) => format!("{LAST}{count}{LAST_LINES}"),
        };
        let name = earlier.name(self.source.block)?;
        let quote = match first_words(&lines[self.lines()]) {
            Some(words) => format!("{QUOTE}{words}{QUOTE_END}"),
            None => String::new(),
        };
        Some(format!("{names}{OF}{name}{quote}{END}"))
    }
}

/// The beginning of the first of these lines that says something.
fn first_words(lines: &[&str]) -> Option<String> {
    let letters = |line: &str| line.chars().filter(|c| c.is_alphabetic()).count();
    // What a person would look for stands near the beginning.
    let mut lines = lines.iter().take(WINDOW);
    let line = lines.find(|line| letters(line) >= MIN_QUOTED_LETTERS)?;
    Some(one_line(line, QUOTE_CHARS))
}

/// The runs of lines of a text that appear earlier, each the longest that its beginning has. Linear: what has been compared is not
/// compared with the same lines again.
pub(super) fn find(lines: &[&str], windows: &[Window], context: Context<'_>) -> Vec<Reference> {
    let Context { earlier, call } = context;
    let target = Target::of(lines, call);
    let mut found = Vec::new();
    let (mut done, mut compared) = (0, 0);
    for window in earlier.deadline.limit(windows) {
        if window.line < compared {
            continue;
        }
        let best = earlier
            .find_window(window.hash)
            .filter(|source| target.allows(*source, earlier))
            .filter_map(|source| extend(lines, window.line, done, source, (target, earlier)))
            .reduce(|best, next| if next.count > best.count { next } else { best });
        let Some(reference) = best else { continue };
        compared = reference.lines().end;
        if is_worth(&reference, lines, (target, earlier)) {
            done = compared;
            found.push(reference);
        }
    }
    found
}

/// What references in a text may lead to.
#[derive(Debug, Clone, Copy)]
enum Target<'a> {
    /// In what a file holds: the same file, as it was read or written before. An agent that reads a part of it wants that to edit it, so it
    /// stays where it is unless the model wrote it itself.
    SameFile(&'a Call),
    /// Anything, but no line of this text that reports a failure is replaced.
    Anything,
}

impl<'a> Target<'a> {
    fn of(lines: &[&str], call: &'a Call) -> Self {
        let had_numbers = lines.first().is_some_and(|line| line.starts_with(OPENING));
        match had_numbers || call.reads_file {
            true => Self::SameFile(call),
            false => Self::Anything,
        }
    }

    fn allows(self, source: Line, earlier: &Earlier) -> bool {
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
    fn min_bytes(self, source: Line, earlier: &Earlier) -> usize {
        let is_read = earlier.block(source.block).is_some_and(|block| {
            !block.is_from_model && !block.is_behind_file(source.line as usize)
        });
        match self {
            Self::SameFile(_) if is_read => MIN_READ_BYTES,
            Self::SameFile(_) | Self::Anything => 0,
        }
    }

    fn may_replace(self, line: &str) -> bool {
        match self {
            Self::SameFile(_) => true,
            Self::Anything => !FAILURES.iter().any(|sign| line.contains(sign)),
        }
    }
}

fn is_worth(
    reference: &Reference,
    lines: &[&str],
    (target, earlier): (Target<'_>, &Earlier),
) -> bool {
    let replaced = &lines[reference.lines()];
    let bytes: usize = replaced.iter().map(|line| line.len() + 1).sum();
    let lines_cost: usize = replaced.iter().map(|line| cost(line) + LINE_BREAK).sum();
    bytes >= target.min_bytes(reference.source, earlier)
        && lines_cost > MIN_GAIN
        && reference
            .mark(lines, earlier)
            .is_some_and(|mark| lines_cost >= cost(&mark) + LINE_BREAK + MIN_GAIN)
}

/// The longest run around `at` that is equal to the lines around `source`, not reaching back before `done`.
fn extend(
    lines: &[&str],
    at: usize,
    done: usize,
    source: Line,
    (target, earlier): (Target<'_>, &Earlier),
) -> Option<Reference> {
    let block = earlier.block(source.block)?;
    let first = source.line as usize;
    let equal = |at: usize, line: usize| {
        let shown = block.shown(line);
        shown.is_some_and(|shown| {
            lines.get(at).is_some_and(|line| *line == shown) && target.may_replace(shown)
        })
    };
    let back = (1..=(at - done).min(first))
        .take_while(|back| equal(at - back, first - back))
        .count();
    let ahead = (0..lines.len() - at)
        .take_while(|ahead| equal(at + ahead, first + ahead))
        .count();
    (ahead > 0).then_some(())?;
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

/// Appends the lines that a mark stands for.
fn write_lines(text: &mut String, mark: &str, earlier: &Earlier) -> Option<()> {
    let mark = mark.strip_suffix(END)?;
    let mark = match mark.strip_suffix(QUOTE_END) {
        Some(mark) => mark.rsplit_once(QUOTE)?.0,
        None => mark,
    };
    let (names, name) = mark.split_once(OF)?;
    let names = match names.strip_prefix(LAST) {
        Some(last) => LineNames::Last(last.strip_suffix(LAST_LINES)?.parse().ok()?),
        None => {
            let (first, last) = names.strip_prefix(NUMBERS)?.rsplit_once('-')?;
            LineNames::Numbers(first.parse().ok()?, last.parse().ok()?)
        }
    };
    let block = earlier.block(earlier.named(name)?)?;
    for line in block.named_lines(names)? {
        text.push_str(line);
        text.push('\n');
    }
    Some(())
}
