//! Merges equal lines, and lines that differ in one field only, so that what they share is written once.

use std::fmt::Write;
use std::ops::Range;

use memchr::memchr;

use super::lines::replaced;
use super::references::is_mark;
use super::text::Text;
use super::tokens::{Tokens, estimate};
use super::{
    Compressor, Context, Deadline, Earlier, MAX_EXPANDED_BYTES, OPENING, each_line, push_line,
    with_header,
};

const HEADER: &str = "\"[×N] line\" = N such lines; \"[×N] a‹›b\" = N lines a…b, and the next N lines are what stands at ‹›";

const MARK: &str = "[×";

const FIELD: &str = "‹›";

/// What lines must share besides spaces to be like lines: indentation alone says nothing.
const MIN_SHARED_BYTES: usize = 8;

/// What a template line costs beyond what it shares: `[`, `×`, the count, `] ` and `‹›`.
const TEMPLATE: Tokens = Tokens::whole(6);

/// The same in bytes, to compare with bytes that lines share.
const TEMPLATE_BYTES: usize = 14;

/// What a run must save.
const MIN_GAIN: Tokens = Tokens::whole(6);

pub(super) struct Runs;

impl Compressor for Runs {
    fn compress(&self, text: &Text<'_>, context: Context<'_>) -> Option<String> {
        // An agent quotes the lines of a file to the letter.
        if context.call.reads_file || text.without_numbers().is_some() {
            return None;
        }
        let lines = &text.lines;
        let runs = text.runs(context.earlier.deadline);
        if runs.is_empty() || lines.iter().any(|line| line.starts_with(MARK)) {
            return None;
        }
        let runs = runs.iter().map(|run| (run.lines(), run));
        let body = replaced(lines, runs, |body, run| {
            run.write(body, &lines[run.lines()]);
            Some(())
        })?;
        Some(with_header(HEADER, &body))
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

/// A run of lines that have beginning and end in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    at: usize,
    count: usize,
    shared: Shared,
}

/// Bytes that the lines of a run have in common at each end. In equal lines the beginning is the whole line.
#[derive(Debug, Clone, Copy)]
struct Shared {
    prefix: usize,
    suffix: usize,
    equal: bool,
}

impl Run {
    /// The lines of the text that it covers.
    pub(super) fn lines(&self) -> Range<usize> {
        self.at..self.at + self.count
    }

    /// What it saves, given its first line.
    fn gain(&self, first: &str) -> Tokens {
        if self.count == 1 {
            return Tokens::default();
        }
        let Shared { prefix, suffix, .. } = self.shared;
        let end = estimate(&first[first.len() - suffix..]);
        let line_break = if self.shared.equal {
            estimate("\n")
        } else {
            Tokens::default()
        };
        let shared = estimate(&first[..prefix]) + end + line_break;
        (shared * (self.count - 1)).saturating_sub(TEMPLATE)
    }

    fn write(&self, body: &mut String, lines: &[&str]) {
        let Shared {
            prefix,
            suffix,
            equal,
        } = self.shared;
        let (first, count) = (lines[0], self.count);
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
}

impl Shared {
    fn bytes(self) -> usize {
        self.prefix + self.suffix + usize::from(self.equal)
    }
}

/// The runs that are worth it, from the first line on, each as long as it gains. Linear: a run that is not worth it has at most a
/// few lines, and every other line is compared with its run's first line only.
pub(super) fn find(lines: &[&str], deadline: Deadline) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut at = 0;
    for line in deadline.limit(0..lines.len()) {
        if line < at {
            continue;
        }
        let run = run_at(lines, at);
        if run.gain(lines[at]) >= MIN_GAIN && (run.shared.equal || run.count > 2) {
            at = run.lines().end;
            runs.push(run);
        } else {
            at += 1;
        }
    }
    runs
}

/// The run that begins at a line; it may be of one line.
fn run_at(lines: &[&str], at: usize) -> Run {
    let first = lines[at];
    let mut run = Run {
        at,
        count: 1,
        shared: Shared {
            prefix: first.len(),
            suffix: 0,
            equal: true,
        },
    };
    if is_set_apart(first) {
        return run;
    }
    // What they share before it is cut back to whole words.
    let mut common = (first.len(), first.len());
    let mut shortest = first.len();
    for (next, line) in lines.iter().enumerate().skip(at + 1) {
        if run.shared.equal && *line == first {
            run.count += 1;
            continue;
        }
        // Three equal lines say more as a run of their own.
        if lines[next..].get(..3).is_some_and(all_equal) {
            break;
        }
        shortest = shortest.min(line.len());
        common = narrow(common, shortest, first, line);
        let shared = whole_words(first, common);
        let lost = run.count * run.shared.bytes().saturating_sub(shared.bytes());
        let pays = run.count == 1 || lost <= shared.bytes() + TEMPLATE_BYTES;
        if !says_enough(first, shared) || !pays || is_mark(line) {
            break;
        }
        run.shared = shared;
        run.count += 1;
    }
    run
}

/// Whether a line belongs to no run.
fn is_set_apart(line: &str) -> bool {
    // Most lines lack the first byte of a field's sign, and looking for one byte is fast.
    let may_have_field = memchr(FIELD.as_bytes()[0], line.as_bytes()).is_some();
    may_have_field && line.contains(FIELD) || line.starts_with(OPENING) || is_mark(line)
}

fn all_equal(lines: &[&str]) -> bool {
    lines.windows(2).all(|pair| pair[0] == pair[1])
}

/// The beginning and end that `line` has in common with `first` and all the lines before it.
fn narrow(
    (prefix, suffix): (usize, usize),
    shortest: usize,
    first: &str,
    line: &str,
) -> (usize, usize) {
    let equal = |(a, b): &(u8, u8)| a == b;
    let ahead = first.bytes().zip(line.bytes()).take(prefix);
    let prefix = ahead.take_while(equal).count();
    let back = first.bytes().rev().zip(line.bytes().rev());
    let back = back.take(suffix.min(shortest - prefix));
    (prefix, back.take_while(equal).count())
}

/// Cuts what is shared back to where the field begins and ends with whole words, so that it reads as a name or a number. Only
/// ASCII sets words apart, so the cuts are between characters.
fn whole_words(line: &str, (prefix, suffix): (usize, usize)) -> Shared {
    let apart = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'_';
    let bytes = line.as_bytes();
    let prefix = bytes[..prefix].iter().rposition(apart).map_or(0, |p| p + 1);
    let end = &bytes[bytes.len() - suffix..];
    let suffix = end.iter().position(apart).map_or(0, |p| suffix - p);
    Shared {
        prefix,
        suffix,
        equal: false,
    }
}

fn says_enough(line: &str, shared: Shared) -> bool {
    let bytes = line.as_bytes();
    let start = bytes[..shared.prefix].iter();
    let end = bytes[bytes.len() - shared.suffix..].iter();
    start
        .chain(end)
        .filter(|byte| !byte.is_ascii_whitespace())
        .nth(MIN_SHARED_BYTES - 1)
        .is_some()
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
