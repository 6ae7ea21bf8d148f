//! Writes what git says of a file before its hunks in one line, and of the head of a hunk what does not follow from the lines around it.
//!
//! ```text
//! diff src/main.rs 393eb4f..180c4f7
//! @@ +619 fn main() {
//! ```
//!
//! The lines of the files stay word for word. A file's header stays as it is where it says more than a path, hashes and a mode (a rename,
//! a binary file), and so does the head of a hunk whose numbers do not follow from the lines around it (a hunk that is cut off).

mod file;
mod hunk;
#[cfg(test)]
mod tests;

use std::ops::Range;

use super::form::Form;
use super::lines::lines;
use super::size::cost;
use super::text::Text;
use super::tokens::Tokens;
use super::{Compressor, Context, Deadline, Earlier, push_line};
use file::FileHeader;
pub(super) use hunk::hunk_len;
use hunk::{HunkHeader, count_lines};

const HEADER: &str =
    "\"diff F A..B\" = git's header of file F, \"@@ +N\" = hunk at line N of the new F";

/// What the head of a hunk begins with.
const HUNK: &str = "@@ -";

/// What the short lines must save: what the form's header costs.
const MIN_GAIN: Tokens = Tokens::whole(36);

pub(super) struct Diff;

impl Compressor for Diff {
    fn form(&self, text: &Text<'_>, context: Context<'_>) -> Option<Form> {
        let found = find(text.lines(), context)?;
        let found = found.into_iter().map(|it| (it.lines.clone(), it));
        let form = Form::replacing(HEADER, text, found, |form, short| {
            push_line(form, &[&short.line]);
        });
        Some(form)
    }

    fn expand(&self, header: &str, body: &str, _: &Earlier) -> Option<String> {
        if header != HEADER {
            return None;
        }
        let lines = lines(body);
        let mut text = String::with_capacity(body.len() * 2);
        let mut shift = 0;
        for (at, line) in lines.iter().enumerate() {
            if let Some(file) = FileHeader::read_short(line) {
                file.write_full(&mut text);
                shift = 0;
                continue;
            }
            if line.starts_with(file::BEGINNING) {
                shift = 0;
            } else if hunk::is_short(line) {
                let counts = count_lines(lines[at + 1..].iter().copied());
                let hunk = HunkHeader::read_short(line, counts, shift)?;
                shift = hunk.shift_behind();
                hunk.write_full(&mut text);
                text.push('\n');
                continue;
            } else if let Some(hunk) = HunkHeader::read_full(line) {
                shift = hunk.shift_behind();
            }
            push_line(&mut text, &[line]);
        }
        text.pop();
        Some(text)
    }
}

/// A line that stands for others.
struct Short {
    lines: Range<usize>,
    line: String,
}

/// Which lines of a text its form would not show as they are; `None` where it would show all.
pub(super) fn hidden(text: &Text<'_>, context: Context<'_>) -> Option<Vec<bool>> {
    let found = find(text.lines(), context)?;
    let mut hidden = vec![false; text.lines().len()];
    for short in found {
        hidden[short.lines].fill(true);
    }
    Some(hidden)
}

/// The short lines of a text, if they are worth their header.
fn find(lines: &[&str], context: Context<'_>) -> Option<Vec<Short>> {
    let is_hunk = |line: &&str| line.starts_with(HUNK);
    if context.call.reads_file || !lines.iter().any(is_hunk) {
        return None;
    }
    let found = shorten(lines, context.earlier.deadline)?;
    let saved = |short: &Short| {
        let full = lines[short.lines.clone()].iter();
        let full: Tokens = full.map(|line| cost(line)).sum();
        full.saturating_sub(cost(&short.line))
    };
    let gain: Tokens = found.iter().map(saved).sum();
    (gain >= MIN_GAIN).then_some(found)
}

/// All lines that can be shortened; `None` where a line that can't looks like one that is.
fn shorten(lines: &[&str], deadline: Deadline) -> Option<Vec<Short>> {
    let mut found = Vec::new();
    let (mut at, mut shift) = (0, 0);
    for _ in deadline.limit(lines) {
        let Some(line) = lines.get(at) else { break };
        let mut count = 1;
        if line.starts_with(file::BEGINNING) {
            shift = 0;
            if let Some((file, of_file)) = FileHeader::read_full(&lines[at..]) {
                count = of_file;
                found.push(Short {
                    lines: at..at + count,
                    line: file.short(),
                });
            } else if FileHeader::read_short(line).is_some() {
                return None;
            }
        } else if hunk::is_short(line) {
            return None;
        } else if let Some(hunk) = HunkHeader::read_full(line) {
            let counts = count_lines(lines[at + 1..].iter().copied());
            if hunk.follows_from(counts, shift) {
                found.push(Short {
                    lines: at..at + 1,
                    line: hunk.short(),
                });
            }
            shift = hunk.shift_behind();
        }
        at += count;
    }
    Some(found)
}
