//! What a command says: what went wrong stays with the lines around it, counts, and both ends of the output.

use super::line_message::message;
use super::signs::{self, SUMMARY, TRACE, TROUBLE};
use super::table::is_table;
use super::words;
use crate::compress::Source;

/// A shorter output stays whole, in lines.
const MIN_LINES: usize = 30;

/// Lines that stay at the beginning, and at the end.
const HEAD: usize = 8;
const TAIL: usize = 12;

/// Lines that stay before one that says what went wrong.
const BEFORE: usize = 2;

/// Lines that stay behind it, whatever they say.
const BEHIND: usize = 3;

/// Lines that stay at the beginning, and at the end, of an indented block behind it.
const BLOCK_ENDS: usize = 8;

/// So many lines behind one that says what went wrong are looked at.
const MAX_BLOCK_LINES: usize = 128;

/// Lines that stay of a stack trace.
const TRACE_LINES: usize = 30;

/// Where more than one line in so many says what went wrong, nothing is left out.
const MOST: usize = 2;

/// More counts than these are no summary: the last ones stay.
const SUMMARIES: usize = 12;

/// For each line of a command's output, whether it stays; `None` where all do.
pub(super) fn shown(block: Source<'_>, lines: &[&str]) -> Option<Vec<bool>> {
    if lines.len() < MIN_LINES || is_table(lines) {
        return None;
    }
    let signs = signs::of(block.text, lines)?;
    let is_trouble = |at: usize| signs[at] & TROUBLE != 0;
    let troubles: Vec<usize> = (0..lines.len()).filter(|at| is_trouble(*at)).collect();
    let serious = troubles
        .iter()
        .filter(|at| !signs::is_harmless(lines[**at], signs[**at]));
    if serious.count() * MOST > lines.len() {
        return None;
    }
    let mut shown = vec![false; lines.len()];
    shown[..HEAD].fill(true);
    shown[lines.len() - TAIL..].fill(true);
    for at in troubles {
        shown[at] = true;
        if !signs::is_harmless(lines[at], signs[at]) {
            show_around(at, lines, signs[at], &mut shown);
        }
    }
    let is_summary = |at: &usize| {
        signs[*at] & SUMMARY != 0 && lines[*at].bytes().any(|byte| byte.is_ascii_digit())
    };
    let summaries = (0..lines.len()).rev().filter(is_summary);
    for at in summaries.take(SUMMARIES) {
        shown[at] = true;
    }
    for at in words::lines_with_rare(block.input, block.text, lines) {
        shown[at] = true;
    }
    Some(shown)
}

/// Shows what stands before a line that says what went wrong, and what belongs to it behind it.
fn show_around(at: usize, lines: &[&str], signs: u8, shown: &mut [bool]) {
    shown[at.saturating_sub(BEFORE)..at].fill(true);
    let indent = indent(lines[at]);
    let belongs = |line: &&&str| match signs & TRACE {
        0 => self::indent(line) > indent,
        _ => !message(line).trim().is_empty(),
    };
    let behind = &lines[at + 1..];
    let len = behind
        .iter()
        .take(MAX_BLOCK_LINES)
        .take_while(belongs)
        .count();
    let to = |count: usize| (at + 1 + count).min(lines.len());
    if signs & TRACE != 0 {
        shown[at..to(len.min(TRACE_LINES))].fill(true);
    } else if len > 2 * BLOCK_ENDS {
        shown[at..to(BLOCK_ENDS)].fill(true);
        shown[to(len - BLOCK_ENDS)..to(len)].fill(true);
    } else {
        shown[at..to(len)].fill(true);
    }
    shown[at..to(BEHIND)].fill(true);
}

/// How far what a line says is indented; an empty one belongs to what is around it.
fn indent(line: &str) -> usize {
    let message = message(line);
    let trimmed = message.trim_start();
    match trimmed.len() {
        0 => usize::MAX,
        len => message.len() - len,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out(lines: &[String]) -> Option<usize> {
        let text = lines.join("\n");
        let lines: Vec<&str> = text.split('\n').collect();
        let block = Source {
            text: &text,
            tool: Some("Bash"),
            input: None,
        };
        let shown = shown(block, &lines)?;
        Some(shown.iter().filter(|shown| !**shown).count())
    }

    fn passing(count: usize) -> Vec<String> {
        (0..count)
            .map(|n| format!("test number_{n} ... ok"))
            .collect()
    }

    #[test]
    fn of_passing_tests_both_ends_stay() {
        assert_eq!(left_out(&passing(100)), Some(80));
        assert_eq!(left_out(&passing(29)), None);
    }

    #[test]
    fn what_went_wrong_stays_with_what_is_around_it() {
        let mut lines = passing(100);
        lines[50] = "test x ... FAILED".to_owned();
        assert_eq!(left_out(&lines), Some(80 - 6));
        lines[51] = "  left: 1".to_owned();
        lines[57] = "warning: y".to_owned();
        assert_eq!(left_out(&lines), Some(80 - 12));
        lines[70] = "test fails_early ... ok".to_owned();
        assert_eq!(left_out(&lines), Some(80 - 13));
    }

    #[test]
    fn a_stack_trace_stays_up_to_an_empty_line() {
        let mut lines = passing(100);
        lines[40] = "goroutine 1 [running]:".to_owned();
        lines[60] = String::new();
        assert_eq!(left_out(&lines), Some(80 - 22));
    }

    #[test]
    fn lines_that_all_say_what_went_wrong_stay() {
        let errors: Vec<String> = (0..100).map(|n| format!("error {n}")).collect();
        assert_eq!(left_out(&errors), None);
    }

    #[test]
    fn rows_of_a_table_stay() {
        let rows: Vec<String> = (0..100).map(|n| format!("{n}, a{n}, 17")).collect();
        assert_eq!(left_out(&rows), None);
        let log: Vec<String> = (0..100)
            .map(|n| format!("job\tstep\t2020-01-01T00:00:{n:02} did it"))
            .collect();
        assert_eq!(left_out(&log), Some(80));
    }
}
