//! Diffs: what is said of each file stays, and the head of each hunk, without the lines of the hunks.

use crate::compress::diff::hunk_len;

/// For each line of a diff, whether it is outside the hunks or the head of one; `None` where the text has no hunk.
pub(super) fn shown(lines: &[&str]) -> Option<Vec<bool>> {
    let mut shown = vec![true; lines.len()];
    let mut at = 0;
    while at < lines.len() {
        let len = hunk_len(&lines[at..]).unwrap_or(1);
        shown[at + 1..at + len].fill(false);
        at += len;
    }
    shown.contains(&false).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_hunks_are_left_out() {
        let text = "commit 1\n\n  why\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@ f\n a\n-b\n+c\n@@ -9 +9 @@\n-d\n\\ No newline\n\
                    --- a/y\n+++ b/y\n@@ -1 +1 @@\n+--- z\nend";
        let lines: Vec<&str> = text.split('\n').collect();
        let shown = shown(&lines).unwrap();
        let left_out: Vec<&str> = (0..lines.len())
            .filter(|at| !shown[*at])
            .map(|at| lines[at])
            .collect();
        let expected = [" a", "-b", "+c", "-d", "\\ No newline", "+--- z"];
        assert_eq!(left_out, expected);
        assert_eq!(super::shown(&["a", " b"]), None);
    }

    #[test]
    fn a_hunk_ends_after_the_lines_that_its_head_counts() {
        let hunk = "@@ -1,2 +1,3 @@\n a\n-b\n+c\n+d\n\\ No newline at end of file\n";
        let text = format!("{hunk}- a list\n+ of a file\n that is printed next");
        let lines: Vec<&str> = text.split('\n').collect();
        let shown = shown(&lines).unwrap();
        let expected = [true, false, false, false, false, false, true, true, true];
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_is_said_of_a_hunks_last_line_is_said_once() {
        let said = "\\ No newline at end of file";
        for (behind, len) in [
            (format!("{said}\n{said}\n"), 4),
            ("\\section{Of a file that is printed next}\n".to_owned(), 3),
        ] {
            let text = format!("@@ -1 +1 @@\n-a\n+b\n{behind}");
            let lines: Vec<&str> = text.split('\n').collect();
            assert_eq!(hunk_len(&lines), Some(len), "{text}");
        }
    }
}
