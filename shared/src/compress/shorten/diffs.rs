//! Diffs: of what has not changed in a hunk, one line on either side of each change stays.

use std::ops::Range;

/// A shorter text stays whole, in lines.
const MIN_LINES: usize = 40;

/// Lines that stay before and behind a change.
const CONTEXT: usize = 1;

/// Whether these are the lines of a diff that is long enough.
pub(super) fn is_diff(lines: &[&str]) -> bool {
    lines.len() >= MIN_LINES && lines.iter().any(|line| hunk_lengths(line).is_some())
}

/// For each line of a diff, whether it stays.
pub(super) fn shown(lines: &[&str]) -> Vec<bool> {
    let mut shown = vec![true; lines.len()];
    let mut at = 0;
    while at < lines.len() {
        let Some(lengths) = hunk_lengths(lines[at]) else {
            at += 1;
            continue;
        };
        let hunk = hunk(lines, at + 1, lengths);
        at = hunk.end;
        leave_out_context(&lines[hunk.clone()], &mut shown[hunk]);
    }
    shown
}

/// How many lines a hunk has on the old and on the new side, by its head.
fn hunk_lengths(line: &str) -> Option<(usize, usize)> {
    let rest = line.strip_prefix("@@ -")?;
    let (old, rest) = rest.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let length = |range: &str| match range.split_once(',') {
        Some((_, length)) => length.parse().ok(),
        None => Some(1),
    };
    Some((length(old)?, length(new)?))
}

/// The lines of a hunk that begins here and has so many lines on its sides.
fn hunk(lines: &[&str], from: usize, (mut old, mut new): (usize, usize)) -> Range<usize> {
    let mut to = from;
    while to < lines.len() && (old > 0 || new > 0) {
        match lines[to].as_bytes().first() {
            Some(b'-') => old = old.saturating_sub(1),
            Some(b'+') => new = new.saturating_sub(1),
            // Some tools cut white space at the ends of lines.
            Some(b' ') | None => (old, new) = (old.saturating_sub(1), new.saturating_sub(1)),
            Some(b'\\') => {}
            Some(_) => break,
        }
        to += 1;
    }
    from..to
}

fn leave_out_context(hunk: &[&str], shown: &mut [bool]) {
    let is_change = |line: &&str| line.starts_with(['+', '-', '\\']);
    shown.fill(false);
    for at in (0..hunk.len()).filter(|at| is_change(&hunk[*at])) {
        let to = (at + CONTEXT + 1).min(hunk.len());
        shown[at.saturating_sub(CONTEXT)..to].fill(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_heads_and_a_line_around_each_change_stay() {
        let diff = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,6 +1,6 @@ fn f()\n a\n b\n-c\n+C\n d\n e\n f\nnext\n";
        let diff = diff.to_owned() + &"text\n".repeat(40);
        let lines: Vec<&str> = diff.lines().collect();
        assert!(is_diff(&lines));
        let shown = shown(&lines);
        let left_out: Vec<&str> = (0..lines.len())
            .filter(|at| !shown[*at])
            .map(|at| lines[at])
            .collect();
        assert_eq!(left_out, [" a", " e", " f"]);
    }

    #[test]
    fn what_looks_like_a_head_but_is_none_is_no_diff() {
        assert_eq!(hunk_lengths("@@ -1,6 +1 @@"), Some((6, 1)));
        for line in ["@@@ -1 -1 +1 @@@", "@@ -a,b +1 @@", "@@ -1 +1", ""] {
            assert_eq!(hunk_lengths(line), None);
        }
        let far = format!("@@ -1,{} +1 @@", usize::MAX);
        let lines = [far.as_str(), " a", "+b"];
        assert_eq!(shown(&lines), [true, true, true]);
    }
}
