//! Merges equal lines, and lines that differ in one field only, so that what they share is written once.

pub(super) mod find;

use std::fmt::Write;

use super::form::Form;
use super::text::Text;
use super::{Compressor, Context, Earlier, MAX_EXPANDED_BYTES, each_line, push_line};
use find::{FIELD, Run, Shared};

const HEADER: &str = "\"[×N] line\" = N such lines; \"[×N] a‹›b\" = N lines a…b, and the next N lines are what stands at ‹›";

const MARK: &str = "[×";

pub(super) struct Runs;

impl Compressor for Runs {
    fn form(&self, text: &Text<'_>, context: Context<'_>) -> Option<Form> {
        // An agent quotes the lines of a file to the letter.
        if context.call.reads_file || text.without_numbers().is_some() {
            return None;
        }
        let lines = text.lines();
        let runs = text.runs(context.earlier.deadline);
        if runs.is_empty() || lines.iter().any(|line| line.starts_with(MARK)) {
            return None;
        }
        let runs = runs.iter().map(|run| (run.lines(), run));
        let form = Form::replacing(HEADER, text, runs, |form, run| {
            write(run, form, &lines[run.lines()]);
        });
        Some(form)
    }

    fn expand(&self, header: &str, body: &str, _: &Earlier) -> Option<String> {
        if header != HEADER {
            return None;
        }
        let mut text = String::with_capacity(body.len());
        let mut lines = each_line(body);
        while let Some(line) = lines.next() {
            let Some(mark) = line.strip_prefix(MARK) else {
                push_line(&mut text, &[line]);
                continue;
            };
            let (count, template) = mark.split_once("] ")?;
            let count: usize = count.parse().ok()?;
            if count.checked_mul(template.len() + 1)? > MAX_EXPANDED_BYTES - text.len() {
                return None;
            }
            for _ in 0..count {
                match template.split_once(FIELD) {
                    Some((prefix, suffix)) => {
                        push_line(&mut text, &[prefix, lines.next()?, suffix]);
                    }
                    None => push_line(&mut text, &[template]),
                }
            }
        }
        text.pop();
        Some(text)
    }
}

/// Appends a run, given its lines.
fn write(run: &Run, body: &mut String, lines: &[&str]) {
    let Shared {
        prefix,
        suffix,
        equal,
    } = run.shared;
    let (first, count) = (lines[0], run.count);
    // Writing to a `String` cannot fail.
    if equal {
        let _ = writeln!(body, "{MARK}{count}] {first}");
        return;
    }
    let (start, end) = (&first[..prefix], &first[first.len() - suffix..]);
    let _ = writeln!(body, "{MARK}{count}] {start}{FIELD}{end}");
    for line in lines {
        push_line(body, &[&line[prefix..line.len() - suffix]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::testing::round_trip;

    fn body(text: &str) -> String {
        let form = round_trip(&Runs, text).unwrap();
        form.split_once('\n').unwrap().1.to_owned()
    }

    #[test]
    fn equal_lines_are_counted() {
        assert_eq!(
            body(
                "a\nCloning the database of the tests into a new one...\nCloning the database of the tests into a new one...\nCloning the database of the tests into a new one...\nb\n"
            ),
            "a\n[×3] Cloning the database of the tests into a new one...\nb\n"
        );
        // A hundred line breaks are a token or two.
        assert_eq!(round_trip(&Runs, &"\n".repeat(99)), None);
    }

    #[test]
    fn one_field_is_taken_out_in_whole_words() {
        assert_eq!(
            body(
                "/srv/app/src/main.rs\n/srv/app/src/map.rs\n/srv/app/src/é.rs\n/srv/app/src/x_y.rs\n"
            ),
            "[×4] /srv/app/src/‹›.rs\nmain\nmap\né\nx_y\n"
        );
    }

    #[test]
    fn a_field_may_be_empty_and_lines_may_overlap() {
        assert_eq!(
            body(
                "the download of the last archive: -aa-aa-\nthe download of the last archive: -aa-\nthe download of the last archive: -aa-aa-\n"
            ),
            "[×3] the download of the last archive: -aa-‹›\naa-\n\naa-\n"
        );
    }

    #[test]
    fn equal_lines_are_a_run_of_their_own() {
        let text = "Creating the database of the tests with a new name...\nCloning the database of the tests into a new one...\n".to_owned()
            + &"Cloning the database of the tests into a new one...\n".repeat(3);
        assert_eq!(
            body(&text),
            "Creating the database of the tests with a new name...\n[×4] Cloning the database of the tests into a new one...\n"
        );
    }

    #[test]
    fn indentation_is_no_run() {
        let code = format!("{0}a\n{0}b\n{0}c\n{0}d\n", " ".repeat(40));
        assert_eq!(round_trip(&Runs, &code), None);
    }

    #[test]
    fn numbered_files_are_left_alone() {
        let text: String = (1..9)
            .map(|n| format!("{n:6}→use some::module::name_{n};\n"))
            .collect();
        assert_eq!(round_trip(&Runs, &text), None);
    }

    #[test]
    fn a_text_that_holds_our_marks_is_left_alone() {
        let run = "the same line again\n".repeat(9);
        assert_eq!(round_trip(&Runs, &format!("{run}[×2] x")), None);
        assert_eq!(round_trip(&Runs, &"a line with ‹› in it\n".repeat(9)), None);
        assert!(
            Runs.expand(HEADER, "[×99999999999] x", &Earlier::default())
                .is_none()
        );
        assert!(
            Runs.expand(HEADER, "[×3] x‹›\n1", &Earlier::default())
                .is_none()
        );
    }
}
