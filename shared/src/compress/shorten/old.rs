//! What stays of old texts: of what was said long ago less is needed at once than of what is new.

use super::call_kind::kind_of;
use super::signs::{self, TROUBLE};
use super::table::is_table;
use super::{Selection, diffs, is_page, may_shorten, reports};
use crate::compress::Source;
use crate::compress::call::script_of;
use crate::compress::lines::lines;
use crate::contract::output_kind::OutputKind;

/// Lines at the beginning and at the end that stay.
const END_LINES: usize = 2;

/// Of the lines that tell what went wrong, so many of the first and of the last stay: warnings may stand before what failed.
const FIRST_TROUBLES: usize = 4;
const LAST_TROUBLES: usize = 8;

/// Of each hundred bytes of a report so many stay at least.
const REPORT_PERCENT: usize = 25;

/// The lines that stay of the old output of a tool; `None` for every text that may be what a file holds, data, or a user's, and for pages of
/// the web, whose text is shown.
#[must_use]
pub fn select_old(block: Source<'_>) -> Option<Selection> {
    if !may_shorten(block) || is_page(block) {
        return None;
    }
    let lines = lines(block.text);
    let shown = match kind_of(block) {
        OutputKind::Messages if is_table(&lines) => None,
        OutputKind::Messages | OutputKind::Search | OutputKind::Listing => {
            ends_and_troubles(block.text, &lines)
        }
        OutputKind::Report => reports::shown(block, &lines, REPORT_PERCENT),
        OutputKind::Read => None,
        OutputKind::Other => {
            block.input.and_then(script_of)?;
            diffs::shown(&lines)
        }
    };
    Selection::new(shown?)?.without_small_gaps(block.text)
}

/// The first and last lines of a text; `None` where that is all of it.
#[must_use]
pub fn ends(text: &str) -> Option<Selection> {
    Selection::new(ends_of(lines(text).len()))?.without_small_gaps(text)
}

/// For each line of a text whether it is one of the first and last, or of those that tell what went wrong one of the first four and the last
/// eight; `None` only where the signs can't be searched for.
fn ends_and_troubles(text: &str, lines: &[&str]) -> Option<Vec<bool>> {
    let signs = signs::of(text, lines)?;
    let mut shown = ends_of(lines.len());
    let is_trouble =
        |at: &usize| signs[*at] & TROUBLE != 0 && !signs::is_harmless(lines[*at], signs[*at]);
    let troubles: Vec<usize> = (0..lines.len()).filter(is_trouble).collect();
    let first = troubles.iter().take(FIRST_TROUBLES);
    let last = troubles.iter().rev().take(LAST_TROUBLES);
    for at in first.chain(last) {
        shown[*at] = true;
    }
    Some(shown)
}

/// For each of so many lines whether it is one of the first or last.
fn ends_of(count: usize) -> Vec<bool> {
    let is_end = |at| at < END_LINES || at + END_LINES >= count;
    (0..count).map(is_end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tool: &str, input: &str, text: &str) -> Option<Vec<String>> {
        let block = Source {
            text,
            tool: Some(tool),
            input: Some(input),
        };
        let selection = select_old(block)?;
        let lines = text.split('\n').zip(selection.left_out());
        let shown = lines.filter(|(_, left_out)| !left_out);
        Some(shown.map(|(line, _)| line.to_owned()).collect())
    }

    #[test]
    fn of_an_output_the_ends_and_the_first_and_last_troubles_stay() {
        let lines: String = (0..80).map(|n| format!("compiling {n}\n")).collect();
        let text = lines.replace("compiling 40\n", "error: it broke\n");
        let expected = [
            "compiling 0",
            "compiling 1",
            "error: it broke",
            "compiling 79",
            "",
        ];
        let build = r#"{"command":"cargo build"}"#;
        assert_eq!(shown("Bash", build, &text).unwrap(), expected);
        let warnings = "warning: it may break\n".repeat(12);
        let text = format!("{warnings}error[E0308]: it broke\n{lines}");
        let shown_of = |text: &str| shown("Bash", build, text).unwrap();
        assert!(shown_of(&text).contains(&"error[E0308]: it broke".to_owned()));
        // The empty line at the end stays, too.
        let troubles = "error: it broke\n".repeat(80);
        assert_eq!(shown_of(&troubles).len(), 4 + 8 + 1);
    }

    #[test]
    fn of_a_diff_the_heads_of_hunks_stay() {
        let hunk = "@@ -1,40 +1,40 @@\n".to_owned() + &"+let x = 1;\n".repeat(40);
        let text = format!("diff --git a/x b/x\n{hunk}{hunk}");
        let expected = [
            "diff --git a/x b/x",
            "@@ -1,40 +1,40 @@",
            "@@ -1,40 +1,40 @@",
            "",
        ];
        let diff = r#"{"command":"git diff"}"#;
        assert_eq!(shown("Bash", diff, &text).unwrap(), expected);
        assert_eq!(shown("fetch_patch", "{}", &text), None);
    }

    #[test]
    fn of_a_report_less_stays_than_of_a_new_one() {
        let part = |n: usize| {
            format!(
                "# Part {n}\n\n{}",
                "It does what it does, as the others do.\n".repeat(2)
            )
        };
        let text: String = (0..50).map(part).collect();
        let bytes = |lines: Vec<String>| lines.iter().map(|line| line.len() + 1).sum::<usize>();
        let of_old = bytes(shown("Task", "{}", &text).unwrap());
        assert!(
            (text.len() / 4..text.len() / 2).contains(&of_old),
            "{of_old}"
        );
    }

    #[test]
    fn content_and_data_stay() {
        let lines: String = (0..80).map(|n| format!("line {n}\n")).collect();
        assert_eq!(shown("Bash", r#"{"command":"git log"}"#, &lines), None);
        assert_eq!(shown("Bash", r#"{"command":"cat x"}"#, &lines), None);
        assert_eq!(shown("get_user", "{}", &lines), None);
        let pod = |n: usize| format!("web-{n:04}   1/1     Running   0          3d\n");
        let pods = "NAME       READY   STATUS    RESTARTS   AGE\n".to_owned();
        let pods: String = (0..80).map(pod).fold(pods, |pods, pod| pods + &pod);
        let get = r#"{"command":"kubectl get pods"}"#;
        assert_eq!(shown("Bash", get, &pods), None);
        let rows: String = (0..80).map(|n| format!("{n},a{n},17\n")).collect();
        assert_eq!(shown("Bash", r#"{"command":"./export"}"#, &rows), None);
    }
}
