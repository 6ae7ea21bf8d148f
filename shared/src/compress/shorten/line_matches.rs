//! In which lines of a text words stand.

use aho_corasick::AhoCorasick;

/// Each place where a text has one of the searcher's words: the word, by its position among them, and the line in which it begins.
pub(super) fn line_matches<'a>(
    searcher: &'a AhoCorasick,
    text: &'a str,
    lines: &'a [&str],
) -> impl Iterator<Item = (usize, usize)> + 'a {
    let (mut line, mut end) = (0, lines.first().map_or(0, |line| line.len()));
    searcher.find_overlapping_iter(text).map(move |found| {
        while found.start() > end && line + 1 < lines.len() {
            line += 1;
            end += 1 + lines[line].len();
        }
        (found.pattern().as_usize(), line)
    })
}
