//! Listings of files: the first entries of each folder stay, and the last one.

use super::signs::{self, TROUBLE};
use super::words;
use crate::compress::Source;

/// A shorter listing stays whole, in lines.
const MIN_LINES: usize = 60;

/// Entries of a folder that stay, besides the last one.
const FIRST: usize = 4;

/// Lines that stay at both ends.
const ENDS: usize = 5;

/// For each line of a listing, whether it stays; `None` where all do.
pub(super) fn shown(block: Source<'_>, lines: &[&str]) -> Option<Vec<bool>> {
    if lines.len() < MIN_LINES {
        return None;
    }
    let signs = signs::of(block.text, lines)?;
    let mut shown: Vec<bool> = signs.iter().map(|signs| signs & TROUBLE != 0).collect();
    shown[..ENDS].fill(true);
    shown[lines.len() - ENDS..].fill(true);
    let mut from = 0;
    for entries in lines.chunk_by(|a, b| folder(a) == folder(b)) {
        let to = from + entries.len();
        shown[from..to.min(from + FIRST)].fill(true);
        shown[to - 1] = true;
        from = to;
    }
    for at in words::lines_with_rare(block.input, block.text, lines) {
        shown[at] = true;
    }
    Some(shown)
}

/// What the entries of a folder begin with: its path, or white space and the lines of a tree. One that is `folder:` has a folder of its own.
fn folder(line: &str) -> (&str, bool) {
    let end = line.rfind('/').map_or_else(
        || {
            line.len()
                - line
                    .trim_start_matches([' ', '\t', '│', '├', '└', '─', '\u{a0}'])
                    .len()
        },
        |at| at + 1,
    );
    (&line[..end], line.is_empty() || line.ends_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_entries_of_each_folder_stay_and_the_last() {
        let files = |folder: &str| {
            (0..40)
                .map(|n| format!("{folder}/f{n}.rs\n"))
                .collect::<String>()
        };
        let text = files("a") + &files("a/b") + "a/wingman/x.rs";
        let lines: Vec<&str> = text.lines().collect();
        let block = Source {
            text: &text,
            tool: Some("Glob"),
            input: None,
        };
        let shown = shown(block, &lines).unwrap();
        let shown: Vec<usize> = (0..shown.len()).filter(|at| shown[*at]).collect();
        let expected = [0, 1, 2, 3, 4, 39, 40, 41, 42, 43, 76, 77, 78, 79, 80];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_folder_of_a_tree_is_known_by_its_lines() {
        assert_eq!(folder("│   ├── a"), folder("│   ├── b"));
        assert_ne!(folder("├── a"), folder("│   ├── b"));
        assert_ne!(folder("src:"), folder("src"));
    }
}
