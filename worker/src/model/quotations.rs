//! Finds what is quoted: in a line by quotes or backticks, and over lines by the fences of code blocks.

use std::ops::Range;

/// The code block in which the lines of a text stand, one after the other.
#[derive(Debug, Default)]
pub(super) struct Fence(Option<Mark>);

/// The characters that begin or end a code block.
#[derive(Debug, Clone, Copy)]
struct Mark {
    sign: char,
    length: usize,
}

impl Fence {
    /// Whether the next line stands in a code block, or begins or ends one.
    pub(super) fn holds(&mut self, line: &str) -> bool {
        let line = line.trim();
        match (self.0, mark(line)) {
            (None, None) => false,
            (None, Some(opening)) => {
                self.0 = Some(opening);
                true
            }
            (Some(opening), closing) => {
                let closes = closing.is_some_and(|it| {
                    it.sign == opening.sign
                        && it.length >= opening.length
                        && it.length == line.len()
                });
                if closes {
                    self.0 = None;
                }
                true
            }
        }
    }
}

fn mark(line: &str) -> Option<Mark> {
    let sign = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let info = line.trim_start_matches(sign);
    let length = line.len() - info.len();
    // Backticks that are closed on their line are a quotation.
    (length >= 3 && !(sign == '`' && info.contains('`'))).then_some(Mark { sign, length })
}

/// What stands in quotes or backticks in a line, with these, in its order. Of a quote that is never closed, the quote alone.
pub(super) fn quoted(line: &str) -> Vec<Range<usize>> {
    let mut quoted = Vec::new();
    // None of these comes any more: no second search for them.
    let mut missing = Vec::new();
    let mut at = 0;
    while let Some((start, quote, closing)) = next_opening(line, at) {
        let inner = start + quote.len_utf8();
        let search = !missing.contains(&closing);
        if let Some(end) = search.then(|| end(line, inner, closing)).flatten() {
            quoted.push(start..end);
            at = end;
            continue;
        }
        missing.push(closing);
        // An apostrophe at the beginning of a word is no quote.
        if quote != '\'' {
            quoted.push(start..inner);
        }
        at = inner;
    }
    quoted
}

/// The next opening quote: where it is, itself, and what closes it.
fn next_opening(line: &str, at: usize) -> Option<(usize, char, char)> {
    let mut before = line[..at].chars().next_back();
    for (offset, c) in line[at..].char_indices() {
        let is_apostrophe = c == '\'' && before.is_some_and(char::is_alphanumeric);
        if let Some(closing) = closing(c).filter(|_| !is_apostrophe) {
            return Some((at + offset, c, closing));
        }
        before = Some(c);
    }
    None
}

const fn closing(opening: char) -> Option<char> {
    match opening {
        '"' | '`' | '\'' => Some(opening),
        '“' | '„' => Some('”'),
        '‘' => Some('’'),
        '«' => Some('»'),
        _ => None,
    }
}

/// Where a quotation ends whose content begins at `inner`.
fn end(line: &str, inner: usize, closing: char) -> Option<usize> {
    let ends = line[inner..].match_indices(closing);
    let mut ends = ends.map(|(offset, quote)| inner + offset + quote.len());
    // An apostrophe stands within a word.
    let is_apostrophe = matches!(closing, '\'' | '’');
    ends.find(|&end| !is_apostrophe || !line[end..].starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<&str> {
        quoted(line).into_iter().map(|it| &line[it]).collect()
    }

    #[test]
    fn quotations_are_found_with_their_quotes() {
        assert_eq!(texts("a \"b c\" d `e` f"), ["\"b c\"", "`e`"]);
        assert_eq!(texts("‘it’s so’ and «so»"), ["‘it’s so’", "«so»"]);
        assert_eq!(texts("'it's so' they say"), ["'it's so'"]);
        assert_eq!(texts("it's the dogs' day, 'tis"), [""; 0]);
        assert_eq!(texts("5\" wide and `open"), ["\"", "`"]);
        assert_eq!(texts(""), [""; 0]);
    }

    #[test]
    fn many_open_quotes_take_linear_time() {
        let line = "“ ".repeat(200_000);
        assert_eq!(quoted(&line).len(), 200_000);
    }

    #[test]
    fn a_code_block_ends_at_a_fence_of_its_kind() {
        let held = |text: &str| -> Vec<bool> {
            let mut fence = Fence::default();
            text.split(' ').map(|line| fence.holds(line)).collect()
        };
        assert_eq!(
            held("a ```rs b ~~~ ``` c"),
            [false, true, true, true, true, false]
        );
        assert_eq!(held("~~~~ a ~~~ ~~~~~ b"), [true, true, true, true, false]);
        assert_eq!(held("```a``` b"), [false, false]);
        assert_eq!(held("``` ```rs a"), [true, true, true]);
    }
}
