//! Signatures: of a file of source code its imports, types and the heads of its functions stay, without the functions' bodies; of a Markdown
//! file its headings, each with a line below it.

mod bodies;
mod language;

use self::language::Language;
use super::{Selection, may_shorten};
use crate::compress::call::Call;
use crate::compress::lines::lines;
use crate::compress::{Deadline, Source};

/// A longer text is not parsed, in bytes.
const MAX_BYTES: usize = 256 << 10;

/// The lines that stay of what a call read of a file of source code, all but the bodies of functions and what follows the first line of a
/// comment, or of a Markdown file. `None` where the text is no such read, its language is not known, all lines stay, or it takes too many
/// steps to parse; and once the deadline is over.
#[must_use]
pub fn signatures(source: Source<'_>, deadline: Deadline) -> Option<Selection> {
    if source.text.len() > MAX_BYTES || !may_shorten(source) {
        return None;
    }
    let call = Call::of(source.tool, source.input);
    let file = call.file.filter(|_| call.reads_file)?;
    let lines = lines(source.text);
    let code = without_numbers(&lines);
    let mut shown = match language::of_file(&file)? {
        Language::Code(language) => bodies::shown(&code, &language, deadline)?,
        Language::Markdown => headings(&code),
    };
    leave_out_empty_lines(&code, &mut shown);
    for (at, line) in lines.iter().enumerate() {
        // What a client says below the file.
        shown[at] |= code[at].is_empty() && !line.trim().is_empty() && code_of(line).is_none();
    }
    Selection::new(shown)?.without_small_gaps(source.text)
}

/// For each line of a Markdown file, whether it is a heading, or the first line that is not empty below one.
fn headings(code: &[&str]) -> Vec<bool> {
    let (mut in_code, mut is_below) = (false, true);
    let shown = code.iter().map(|line| {
        in_code ^= line.trim_start().starts_with("```");
        let is_heading = !in_code && line.starts_with('#');
        let is_first = is_below && !line.trim().is_empty();
        is_below = is_heading || is_below && !is_first;
        is_heading || is_first
    });
    shown.collect()
}

/// The code of each line, without the line numbers where most lines have them; then a line without one has no code.
fn without_numbers<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let numbered = lines.iter().filter(|line| code_of(line).is_some()).count();
    if numbered * 2 > lines.len() {
        let code = lines.iter().map(|line| code_of(line).unwrap_or_default());
        code.collect()
    } else {
        lines.to_vec()
    }
}

/// What stands behind a line's number: `    12→`, `12` tab, `12|`.
fn code_of(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(' ');
    let code = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let code = (code.len() < line.len()).then_some(code)?;
    let code = code.strip_prefix(['→', '\t']);
    code.or_else(|| {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.strip_prefix(" |").or_else(|| rest.strip_prefix('|'))
    })
}

/// Leaves out the empty lines beside others that are left out.
fn leave_out_empty_lines(code: &[&str], shown: &mut [bool]) {
    for at in 1..code.len() {
        if code[at].trim().is_empty() && !shown[at - 1] {
            shown[at] = false;
        }
    }
}

#[cfg(test)]
mod tests;
