//! Groups search results, `path:line:text`, by file. Context lines, `path-line-text`, and lines without a number, `path:text`, go with
//! their file.

pub(super) mod paths;

use super::form::Form;
use super::text::Text;
use super::{Compressor, Context, Deadline, Earlier, each_line, push_line};

const BEFORE: &str = "search results by file, \"# path\"";
const BELOW: &str = ", all below ";
const ROOT: &str = ", their surroundings below ";
const OTHERS: &str = "; \"= \" stands before other lines";

const HEADING: &str = "# ";
const OTHER: &str = "= ";

pub(super) struct Search;

impl Compressor for Search {
    fn form(&self, text: &Text<'_>, context: Context<'_>) -> Option<Form> {
        let paths = text.paths(context.earlier.deadline);
        if paths.are_none() {
            return None;
        }
        let below = paths.common_folder();
        let mut body = String::with_capacity(text.whole.len());
        let mut current = "";
        let (mut found, mut has_others) = (0, false);
        for line in context.earlier.deadline.limit(text.lines()) {
            let result = paths.split(line);
            match result.and_then(|(path, rest)| Some((path.strip_prefix(below)?, rest))) {
                Some((path, rest)) => {
                    if found == 0 || path != current {
                        push_line(&mut body, &[HEADING, path]);
                        current = path;
                    }
                    found += 1;
                    push_line(&mut body, &[rest]);
                }
                None if stands_as_it_is(line) => push_line(&mut body, &[line]),
                None => {
                    has_others = true;
                    push_line(&mut body, &[OTHER, line]);
                }
            }
        }
        body.pop();
        let described = |what: &str, path: &str| match path {
            "" => String::new(),
            path => format!("{what}{path}"),
        };
        let (below, root) = (described(BELOW, below), described(ROOT, paths.root()));
        let others = if has_others { OTHERS } else { "" };
        (found > 1).then(|| Form::headed(&format!("{BEFORE}{below}{root}{others}"), &body))
    }

    fn expand(&self, header: &str, body: &str, _: &Earlier) -> Option<String> {
        let header = header.strip_prefix(BEFORE)?;
        let middle = header.strip_suffix(OTHERS).unwrap_or(header);
        let (below, root) = middle.split_once(ROOT).unwrap_or((middle, ""));
        let below = below.strip_prefix(BELOW).unwrap_or("");
        let mut text = String::with_capacity(body.len() * 2);
        let mut current = "";
        for line in each_line(body) {
            if let Some(path) = line.strip_prefix(HEADING) {
                current = path;
                continue;
            }
            match line.strip_prefix(OTHER) {
                Some(other) => push_line(&mut text, &[other]),
                None if stands_as_it_is(line) => push_line(&mut text, &[line]),
                None => {
                    // A result without a number is `path:text`, and so begins with its colon.
                    let separator = line.chars().find(|c| !c.is_ascii_digit())?;
                    if separator == '-' {
                        text.push_str(root);
                    }
                    text.push_str(below);
                    text.push_str(current);
                    if !line.starts_with(':') {
                        text.push(separator);
                    }
                    push_line(&mut text, &[line]);
                }
            }
        }
        text.pop();
        Some(text)
    }
}

/// Whether most lines of a text are results that [`Search`] would group.
pub(super) fn is_search(text: &Text<'_>, deadline: Deadline) -> bool {
    let paths = text.paths(deadline);
    if paths.are_none() {
        return false;
    }
    let is_result = |line: &&&str| paths.split(line).is_some();
    let found = deadline.limit(text.lines()).filter(is_result).count();
    found * 2 > text.lines().len()
}

/// Which lines the form of a text may hold in another shape, where it has results.
pub(super) fn hidden(text: &Text<'_>, deadline: Deadline) -> Option<Vec<bool>> {
    let paths = text.paths(deadline);
    if paths.are_none() {
        return None;
    }
    let is_changed = |line: &&str| paths.split(line).is_some() || !stands_as_it_is(line);
    Some(text.lines().iter().map(is_changed).collect())
}

/// Whether a line that is no result is told from results and headings without a mark.
fn stands_as_it_is(line: &str) -> bool {
    let result = line.starts_with(|c: char| c.is_ascii_digit() || c == ':');
    !result && !line.starts_with(HEADING) && !line.starts_with(OTHER)
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
        assert!(
            header.contains("by file, \"# path\", all below a/b/]"),
            "{header}"
        );
        assert_eq!(body, "# x.rs\n1:one\n20:two: 3\n# c/y.rs\n3:\n");
    }

    #[test]
    fn context_goes_with_its_file() {
        let (_, body) = parts("a-1-b.go-6-x\na-1-b.go:7:y\na-1-b.go-8-\n--\na-1-b.go:90:z");
        assert_eq!(body, "# a-1-b.go\n6-x\n7:y\n8-\n--\n90:z");
    }

    #[test]
    fn surroundings_may_have_longer_paths() {
        let (header, body) = parts("b.go:7:y\n/a/b.go-8-z\n/a/c.go-9-\n--\nb.go-1-y\n/a/c.go-10-");
        assert!(
            header.contains("by file, \"# path\", their surroundings below /a/]"),
            "{header}"
        );
        assert_eq!(body, "# b.go\n7:y\n8-z\n# c.go\n9-\n--\nb.go-1-y\n10-");
        let (_, body) = parts("b.go:7:y\n/a/c.go-8-z\n/a/c.go-9-");
        assert_eq!(body, "# b.go\n7:y\n# /a/c.go\n8-z\n9-");
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
    fn a_path_outside_the_common_folder_is_no_result() {
        let text = "/a/éx/m.go-1-x\néx/m.go:2:y\néx/n.go:3:y\n/a//a/éx/q.go-5-t\n/a/éx/q.go:1:z";
        let (header, body) = parts(text);
        assert!(header.contains(", all below éx/, their"), "{header}");
        assert!(body.ends_with("\n/a/éx/q.go:1:z"), "{body}");
    }

    #[test]
    fn times_and_addresses_are_no_results() {
        for text in [
            "12:30:01 a\n12:30:02 b",
            "10.0.0.1:80: a\n10.0.0.1:80: b",
            "http://x/a: b\nhttp://x/a: c",
            "see a.rs:1: b\nsee a.rs:2: c",
        ] {
            assert_eq!(round_trip(&Search, text), None, "{text}");
        }
    }
}
