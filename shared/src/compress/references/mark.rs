//! The line that stands for lines of an earlier block: which lines, of which tool call, and their first words.

use super::window::WINDOW;
use crate::compress::call::one_line;
use crate::compress::earlier::LineNames;
use crate::compress::{Earlier, push_line};

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

/// Whether a line is one of those that [`References`](super::References) puts in, or looks like one.
pub(in crate::compress) fn is_mark(line: &str) -> bool {
    line.starts_with(NUMBERS) || line.starts_with(LAST)
}

/// The mark for these lines, which are called so in the block at this position.
pub(super) fn mark(
    lines: &[&str],
    names: LineNames,
    block: u32,
    earlier: &Earlier,
) -> Option<String> {
    let names = match names {
        LineNames::Numbers(first, last) => format!("{NUMBERS}{first}-{last}"),
        LineNames::Last(count) => format!("{LAST}{count}{LAST_LINES}"),
    };
    let name = earlier.name(block)?;
    let quote = match first_words(lines) {
        Some(words) => format!("{QUOTE}{words}{QUOTE_END}"),
        None => String::new(),
    };
    Some(format!("{names}{OF}{name}{quote}{END}"))
}

/// The beginning of the first of these lines that says something.
fn first_words(lines: &[&str]) -> Option<String> {
    let letters = |line: &str| line.chars().filter(|c| c.is_alphabetic()).count();
    // What a person would look for stands near the beginning.
    let mut lines = lines.iter().take(WINDOW);
    let line = lines.find(|line| letters(line) >= MIN_QUOTED_LETTERS)?;
    Some(one_line(line, QUOTE_CHARS))
}

/// Appends the lines that a mark stands for.
pub(super) fn write_lines(text: &mut String, mark: &str, earlier: &Earlier) -> Option<()> {
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
        push_line(text, &[line]);
    }
    Some(())
}
