//! The lines of a text.

use std::ops::Range;

use memchr::memchr_iter;

/// The lines of a text. Joined by line breaks they are the text again, so one that ends with a break has an empty last line.
pub(super) fn lines(text: &str) -> Vec<&str> {
    // A block may be a million empty lines: no growing by doubling.
    let breaks = memchr_iter(b'\n', text.as_bytes()).count();
    let mut lines = Vec::with_capacity(breaks + 1);
    lines.extend(each_line(text));
    lines
}

/// The same, one after the other.
pub(super) fn each_line(text: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    let ends = memchr_iter(b'\n', text.as_bytes()).chain([text.len()]);
    ends.map(move |end| {
        let line = &text[start..end];
        start = end + 1;
        line
    })
}

/// The text of these lines in which each of these ranges, which are in their order, is replaced by what `write` appends for it.
pub(super) fn replaced<T>(
    lines: &[&str],
    ranges: impl IntoIterator<Item = (Range<usize>, T)>,
    mut write: impl FnMut(&mut String, T) -> Option<()>,
) -> Option<String> {
    let mut text = String::new();
    let mut at = 0;
    for (range, what) in ranges {
        push_lines(&mut text, &lines[at..range.start]);
        write(&mut text, what)?;
        at = range.end;
    }
    push_lines(&mut text, &lines[at..]);
    text.pop();
    Some(text)
}

/// Appends these lines, each with its break.
fn push_lines(text: &mut String, lines: &[&str]) {
    for line in lines {
        push_line(text, &[line]);
    }
}

/// Appends a line of these parts, with its break.
pub(super) fn push_line(text: &mut String, parts: &[&str]) {
    text.extend(parts.iter().copied());
    text.push('\n');
}
