//! Search results, `path:line:text`, grouped by file. Context lines, `path-line-text`, and lines without a number, `path:text`, go with
//! their file.

use std::collections::HashMap;

use super::{Compressor, Earlier, with_header};

const BEFORE: &str = "search results by file";
const BELOW: &str = ", all below ";
const AFTER: &str = "; \"# path\", then line:text of a match, line-text of its surroundings; \"= \" stands before any other line";

const HEADING: &str = "# ";
const OTHER: &str = "= ";

/// How many places in a line are tried as the end of a path.
const MAX_TRIES: usize = 8;

pub(super) struct Search;

impl Compressor for Search {
    fn compress(&self, text: &str, _: &Earlier<'_>) -> Option<String> {
        let paths = Paths::of(text);
        let below = paths.common_folder();
        let mut body = String::with_capacity(text.len());
        let mut current = "";
        let mut found = 0;
        for line in text.split('\n') {
            match paths.split(line) {
                Some((path, rest)) => {
                    found += 1;
                    if path != current {
                        push_line(&mut body, HEADING, &path[below.len()..]);
                        current = path;
                    }
                    push_line(&mut body, "", rest);
                }
                None if stands_as_it_is(line) => push_line(&mut body, "", line),
                None => push_line(&mut body, OTHER, line),
            }
        }
        body.pop();
        let below = if below.is_empty() {
            String::new()
        } else {
            format!("{BELOW}{below}")
        };
        (found > 1).then(|| with_header(&format!("{BEFORE}{below}{AFTER}"), &body))
    }

    fn expand(&self, header: &str, body: &str, _: &Earlier<'_>) -> Option<String> {
        let middle = header.strip_prefix(BEFORE)?.strip_suffix(AFTER)?;
        let below = middle.strip_prefix(BELOW).unwrap_or("");
        let mut text = String::with_capacity(body.len() * 2);
        let mut current = "";
        for line in body.split('\n') {
            if let Some(path) = line.strip_prefix(HEADING) {
                current = path;
                continue;
            }
            match line.strip_prefix(OTHER) {
                Some(other) => push_line(&mut text, "", other),
                None if stands_as_it_is(line) => push_line(&mut text, "", line),
                None => {
                    text.push_str(below);
                    // A result without a number is `path:text`, and so begins with its colon.
                    let separator = line.chars().find(|c| !c.is_ascii_digit());
                    text.push_str(current);
                    if !line.starts_with(':') {
                        text.push(separator?);
                    }
                    push_line(&mut text, "", line);
                }
            }
        }
        text.pop();
        Some(text)
    }
}

/// Whether most lines of a text are results that [`Search`] would group.
pub(super) fn is_search(text: &str) -> bool {
    let paths = Paths::of(text);
    let (mut found, mut all) = (0, 0);
    for line in text.split('\n') {
        all += 1;
        found += usize::from(paths.split(line).is_some());
    }
    found * 2 > all
}

/// What a text has results of, if these are indeed files.
struct Paths<'a>(HashMap<&'a str, Seen>);

/// In how many lines a path stands.
#[derive(Default)]
struct Seen {
    /// As a match with its line number.
    numbered: usize,
    /// Without a number, or as a line around a match.
    others: usize,
}

impl Seen {
    /// One line that begins like `path:text` may be anything; several are results.
    fn is_file(&self) -> bool {
        self.numbered > 0 || self.others > 1
    }
}

impl<'a> Paths<'a> {
    fn of(text: &'a str) -> Self {
        let mut paths: HashMap<&str, Seen> = HashMap::new();
        for line in text.split('\n') {
            match split_path(line) {
                Some((path, rest)) if numbered_by(rest, ':') => {
                    paths.entry(path).or_default().numbered += 1;
                }
                Some((path, _)) if path.contains('/') => paths.entry(path).or_default().others += 1,
                _ => {}
            }
            for (path, _) in surroundings(line).filter(|(path, _)| names_a_file(path)) {
                paths.entry(path).or_default().others += 1;
            }
        }
        Self(paths)
    }

    /// The path of a result and what stands after the separator; of a result without a number the separator too.
    fn split<'t>(&self, line: &'t str) -> Option<(&'t str, &'t str)> {
        if let Some((path, rest)) = split_path(line)
            && let Some(seen) = self.0.get(path)
        {
            if numbered_by(rest, ':') {
                return Some((path, rest));
            }
            if seen.is_file() && path.contains('/') {
                return Some((path, &line[path.len()..]));
            }
        }
        surroundings(line).find(|(path, _)| self.0.get(path).is_some_and(Seen::is_file))
    }

    /// The folder that all paths are in, with its last `/`; empty where saying it would save nothing.
    fn common_folder(&self) -> &'a str {
        let files = self.0.iter().filter(|(_, seen)| seen.is_file());
        let mut paths = files.map(|(path, _)| *path);
        let Some(first) = paths.next() else {
            return "";
        };
        let mut others = paths.peekable();
        if others.peek().is_none() {
            return "";
        }
        let common = others.fold(first.len(), |common, path| {
            let bytes = first.bytes().zip(path.bytes()).take(common);
            bytes.take_while(|(a, b)| a == b).count()
        });
        let folder = first.as_bytes()[..common].iter().rposition(|b| *b == b'/');
        match folder {
            Some(at) => &first[..=at],
            None => "",
        }
    }
}

/// A line up to its first colon, if that looks like a path, and the rest of it.
fn split_path(line: &str) -> Option<(&str, &str)> {
    let drive = line.as_bytes().get(1..3) == Some(b":\\");
    let from = if drive { 2 } else { 0 };
    let end = from + line.get(from..)?.find(':')?;
    let path = &line[..end];
    let like_a_path = path.contains(['/', '.', '\\'])
        && path.contains(char::is_alphanumeric)
        && !path.contains(char::is_whitespace);
    like_a_path.then(|| (path, &line[end + 1..]))
}

/// The ways to read a line as `path-line-text`: a path may itself hold such numbers.
fn surroundings(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.match_indices('-')
        .take(MAX_TRIES)
        .map(|(at, _)| (&line[..at], &line[at + 1..]))
        .filter(|(_, rest)| numbered_by(rest, '-'))
}

/// Whether a path, met only before surroundings, has folders and a file's ending.
fn names_a_file(path: &str) -> bool {
    let file = path.rsplit_once('/').map(|(_, file)| file);
    file.is_some_and(|file| file.contains('.')) && !path.contains(char::is_whitespace)
}

/// Whether a text begins with a number and then `separator`.
fn numbered_by(text: &str, separator: char) -> bool {
    let after = text.trim_start_matches(|c: char| c.is_ascii_digit());
    after.len() < text.len() && after.starts_with(separator)
}

/// Whether a line that is no result is told from results and headings without a mark.
fn stands_as_it_is(line: &str) -> bool {
    let result = line.starts_with(|c: char| c.is_ascii_digit() || c == ':');
    !result && !line.starts_with(HEADING) && !line.starts_with(OTHER)
}

fn push_line(text: &mut String, mark: &str, line: &str) {
    text.push_str(mark);
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::testing::round_trip;

    fn parts(text: &str) -> (String, String) {
        let form = round_trip(&Search, text).unwrap();
        let (header, body) = form.split_once('\n').unwrap();
        (header.to_owned(), body.to_owned())
    }

    #[test]
    fn results_are_grouped_below_their_common_folder() {
        let (header, body) = parts("a/b/x.rs:1:one\na/b/x.rs:20:two: 3\na/b/c/y.rs:3:\n");
        assert!(header.contains("by file, all below a/b/; "), "{header}");
        assert_eq!(body, "# x.rs\n1:one\n20:two: 3\n# c/y.rs\n3:\n");
    }

    #[test]
    fn context_goes_with_its_file() {
        let (_, body) = parts("a-1-b.go-6-x\na-1-b.go:7:y\na-1-b.go-8-\n--\na-1-b.go:90:z");
        assert_eq!(body, "# a-1-b.go\n6-x\n7:y\n8-\n--\n90:z");
    }

    #[test]
    fn surroundings_may_name_their_file_otherwise() {
        let (_, body) = parts("b.go:7:y\n/a/b.go-8-z\n/a/b.go-9-\n--\nx-1-y");
        assert_eq!(body, "# b.go\n7:y\n# /a/b.go\n8-z\n9-\n--\nx-1-y");
    }

    #[test]
    fn results_without_numbers_are_grouped() {
        let (_, body) = parts("src/a.py:def f():\nsrc/a.py:  x\nsrc/b.py:12\nsrc/b.py:13");
        assert_eq!(body, "# a.py\n:def f():\n:  x\n# b.py\n:12\n:13");
    }

    #[test]
    fn other_lines_stay_and_are_marked_where_they_must() {
        let (_, body) = parts("C:\\x\\y.rs:1:a\r\nC:\\x\\y.rs:2:b\r\n12: z\n# h\n= e\n:q\nnote\n");
        assert_eq!(
            body,
            "# C:\\x\\y.rs\n1:a\r\n2:b\r\n= 12: z\n= # h\n= = e\n= :q\nnote\n"
        );
    }

    #[test]
    fn times_and_addresses_are_no_results() {
        for text in [
            "12:30:01 a\n12:30:02 b",
            "http://x/a: b\nhttp://x/a: c",
            "see a.rs:1: b\nsee a.rs:2: c",
        ] {
            assert_eq!(round_trip(&Search, text), None, "{text}");
        }
    }
}
