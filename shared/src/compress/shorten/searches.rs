//! Results of searches: of the lines that match in a file the first ones stay, and the last one.

use super::words;
use crate::compress::Source;

/// A shorter result stays whole, in lines.
const MIN_LINES: usize = 40;

/// Lines that match of which stay in each file, besides the last one.
const FIRST: usize = 3;

/// In fewer files a search is as good as reading them: all stays.
const MIN_FILES: usize = 3;

/// Where a line of a result stands.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    file: &'a str,
    /// Whether the line matches; others are around one that does.
    matches: bool,
}

/// For each line of a search's result, whether it stays; `None` where all do.
pub(super) fn shown(block: Source<'_>, lines: &[&str]) -> Option<Vec<bool>> {
    if lines.len() < MIN_LINES {
        return None;
    }
    let places: Vec<_> = lines.iter().map(|line| place(line)).collect();
    let placed = places.iter().flatten().count();
    let apart = lines
        .iter()
        .filter(|line| ["--", ""].contains(line))
        .count();
    if (placed + apart) * 10 < lines.len() * 9 {
        return None;
    }
    let mut shown: Vec<bool> = places.iter().map(Option::is_none).collect();
    let mut files = 0;
    let mut from = 0;
    while from < lines.len() {
        let Some(Some(Place { file, .. })) = places.get(from) else {
            from += 1;
            continue;
        };
        let is_same = |place: &&Option<Place<'_>>| {
            place
                .as_ref()
                .is_none_or(|place| same_file(place.file, file))
        };
        let len = places[from..].iter().take_while(is_same).count();
        show_ends(&places[from..from + len], &mut shown[from..from + len]);
        files += 1;
        from += len;
    }
    if files < MIN_FILES {
        return None;
    }
    for at in words::lines_with_rare(block.input, block.text, lines) {
        shown[at] = true;
    }
    Some(shown)
}

/// Shows the first lines that match and the last one, with the lines next to the first.
fn show_ends(places: &[Option<Place<'_>>], shown: &mut [bool]) {
    let matches = |at: &usize| places[*at].as_ref().is_some_and(|place| place.matches);
    let matching: Vec<usize> = (0..places.len()).filter(matches).collect();
    let (Some(first), Some(last)) = (matching.first(), matching.last()) else {
        return;
    };
    shown[first.saturating_sub(1)..(first + 2).min(places.len())].fill(true);
    for at in matching.iter().take(FIRST).chain([last]) {
        shown[*at] = true;
    }
}

/// Whether two paths name the same file: one may be relative.
fn same_file(a: &str, b: &str) -> bool {
    let (long, short) = if a.len() > b.len() { (a, b) } else { (b, a) };
    long.strip_suffix(short)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

/// Where a line stands: `path:12:text` or, beside a line that matches, `path-12-text`.
fn place(line: &str) -> Option<Place<'_>> {
    let bytes = line.as_bytes();
    let mut from = 0;
    while let Some(at) = memchr::memchr2(b':', b'-', bytes.get(from..)?) {
        let at = from + at;
        let digits = bytes[at + 1..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits > 0 && bytes.get(at + 1 + digits) == Some(&bytes[at]) {
            return Some(Place {
                file: &line[..at],
                matches: bytes[at] == b':',
            });
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_of(text: &str) -> Option<Vec<usize>> {
        let lines: Vec<&str> = text.lines().collect();
        let block = Source {
            text,
            tool: Some("Grep"),
            input: Some(r#"{"pattern":"wingman"}"#),
        };
        let shown = shown(block, &lines)?;
        Some((0..shown.len()).filter(|at| shown[*at]).collect())
    }

    fn matches(file: usize, count: usize) -> String {
        (0..count)
            .map(|n| format!("src/f{file}.rs:{n}:wingman {n}\n"))
            .collect()
    }

    #[test]
    fn the_first_lines_and_the_last_one_of_each_file_stay() {
        let text = matches(1, 20) + &matches(2, 20) + &matches(3, 3);
        let expected = [0, 1, 2, 19, 20, 21, 22, 39, 40, 41, 42];
        assert_eq!(shown_of(&text).unwrap(), expected);
        assert_eq!(shown_of(&matches(1, 100)), None);
        assert_eq!(shown_of(&"no line of a search\n".repeat(100)), None);
    }

    #[test]
    fn lines_around_the_first_match_stay() {
        let around =
            |n: usize| format!("a/{n}.rs-1-x\n{n}.rs:2:y\na/{n}.rs-3-z\na/{n}.rs-4-z\n--\n");
        let text: String = (0..20).map(around).collect();
        let shown = shown_of(&text).unwrap();
        assert_eq!(shown[..5], [0, 1, 2, 4, 5]);
    }

    #[test]
    fn the_place_of_a_line_is_before_its_text() {
        let place = |line| place(line).map(|it| (it.file, it.matches));
        assert_eq!(place("a-b/c.rs:12:x-3-y"), Some(("a-b/c.rs", true)));
        assert_eq!(place("a-b/c.rs-12-x:3:y"), Some(("a-b/c.rs", false)));
        assert_eq!(place("--"), None);
        assert_eq!(place("a: b"), None);
    }
}
