//! Diffs: what is said of each file stays, and the head of each hunk, without the lines of the hunks.

/// What the head of a hunk begins with.
const HUNK: &str = "@@ -";

/// For each line of a diff, whether it is outside the hunks or the head of one; `None` where the text has no hunk.
pub(super) fn shown(lines: &[&str]) -> Option<Vec<bool>> {
    let mut in_hunk = false;
    let shown = lines.iter().enumerate().map(|(at, line)| {
        let names_file = || line.starts_with("--- ") && next_names_file(lines, at);
        in_hunk = in_hunk && line.starts_with([' ', '+', '-', '\\']) && !names_file();
        if line.starts_with(HUNK) {
            in_hunk = true;
            return true;
        }
        !in_hunk
    });
    let shown: Vec<bool> = shown.collect();
    shown.contains(&false).then_some(shown)
}

/// Whether the next line names the new file.
fn next_names_file(lines: &[&str], at: usize) -> bool {
    lines
        .get(at + 1)
        .is_some_and(|line| line.starts_with("+++ "))
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
}
