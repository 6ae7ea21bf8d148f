//! Whether a shortened text shows nothing but what its original says.

use super::{MARK, OPENING, page};
use crate::compress::lines::lines;
use crate::contract::id::OriginalId;

/// Whether `shortened` is a shortened text of `text`, which `original` names: its header names that, each of its marks stands for lines
/// that are there, and each other line is the text's next one, perhaps without some words.
#[must_use]
pub fn is_shortened_of(shortened: &str, text: &str, original: OriginalId) -> bool {
    let header = format!("{OPENING}{original}\")");
    let Some(rest) = shortened.strip_prefix(&header) else {
        return false;
    };
    let Some((_, body)) = rest.split_once('\n') else {
        // All lines are left out.
        return rest.ends_with(']');
    };
    if page::is_of_page(shortened) {
        return page::is_text_of(shortened, text, original);
    }
    let originals = lines(text);
    let mut next = 0;
    for line in lines(body) {
        if let Some((from, to)) = marked(line) {
            if from != next + 1 || to < from || to > originals.len() {
                return false;
            }
            next = to;
        } else if originals.get(next).is_some_and(|it| has_words(it, line)) {
            next += 1;
        } else {
            return false;
        }
    }
    next == originals.len()
}

/// The numbers of the first and the last line that a mark stands for.
fn marked(line: &str) -> Option<(usize, usize)> {
    let (from, to) = line
        .strip_prefix(MARK)?
        .strip_suffix(']')?
        .split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// Whether a line is another one, or that without some of its words.
fn has_words(original: &str, line: &str) -> bool {
    if original == line {
        return true;
    }
    let mut words = original.split_whitespace();
    line.split_whitespace()
        .all(|word| words.any(|it| it == word))
}
