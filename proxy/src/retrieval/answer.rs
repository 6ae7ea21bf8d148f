//! The answer to a call: the whole text, or a part of it under a line that says which.

use std::fmt::Write as _;
use std::time::Instant;

use headroom_shared::compress::estimated_millitokens;
use memchr::memchr_iter;

use super::arguments::Part;
use super::line_ranges::LineRanges;
use super::pattern::{OutOfTime, Pattern};

/// From so many tokens on, a whole text says how to ask for a part. Claude Code warns of answers of more.
const LONG_TOKENS: u64 = 10_000;
/// So many lines before a matching line are shown, and so many after it.
const CONTEXT: usize = 2;
/// So many matching lines are shown at most.
const MAX_MATCHES: usize = 10_000;

/// Why a text has no such part.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPart {
    #[error("the text has {} only", lines_of(*.0))]
    NoSuchLines(usize),
    #[error("this takes too long: try again, with a simpler pattern or lines to search in")]
    OutOfTime,
}

/// What is answered to who asks for this part of a text. Lines are what stands between line breaks, as in shortened texts: a text that ends
/// with one has an empty last line.
pub(super) fn answer(text: &str, part: &Part, deadline: Instant) -> Result<String, NoPart> {
    let count = 1 + memchr_iter(b'\n', text.as_bytes()).count();
    let lines = part.lines.as_ref().map(|lines| lines.of_text(count));
    if lines.as_ref().is_some_and(LineRanges::is_empty) {
        return Err(NoPart::NoSuchLines(count));
    }
    match (&part.pattern, lines) {
        (Some(pattern), lines) => {
            let within = lines.unwrap_or_else(|| LineRanges::union(vec![1..=count]));
            matching(text, count, (pattern, &within), deadline)
        }
        (None, Some(lines)) => Ok(ranges(text, count, &lines)),
        (None, None) => Ok(whole(text, count)),
    }
}

/// The whole text; a long one says in a first line how to ask for a part.
fn whole(text: &str, count: usize) -> String {
    let tokens = estimated_millitokens(text) / 1000;
    if tokens < LONG_TOKENS {
        return text.to_owned();
    }
    let lines = lines_of(count);
    format!(
        "[all {lines}, about {tokens} tokens; lines (\"41-77\") or pattern (\"error|warning\") returns a part]\n{text}"
    )
}

/// These lines as they are, each range under a line of its own.
fn ranges(text: &str, count: usize, lines: &LineRanges) -> String {
    let mut answer = String::new();
    let mut next = numbered(text);
    for range in lines.iter() {
        let (first, last) = (range.start(), range.end());
        let _ = match last - first {
            0 => writeln!(answer, "[line {first} of {count}]"),
            _ => writeln!(answer, "[lines {first}-{last} of {count}]"),
        };
        for (_, line) in in_range(&mut next, *first, *last) {
            answer.push_str(line);
            answer.push('\n');
        }
    }
    answer.pop();
    answer
}

/// Those of these lines that match, with the lines around them, in the format of `grep -n`.
fn matching(
    text: &str,
    count: usize,
    (pattern, within): (&Pattern, &LineRanges),
    deadline: Instant,
) -> Result<String, NoPart> {
    let mut found = Found::default();
    let mut next = numbered(text);
    for range in within.iter() {
        for (number, line) in in_range(&mut next, *range.start(), *range.end()) {
            let matches = pattern.matches(line, deadline);
            match matches.map_err(|OutOfTime| NoPart::OutOfTime)? {
                true if found.lines.len() < MAX_MATCHES => found.lines.push(number),
                true => found.more += 1,
                false if line.len() > pattern.piece() => found.missed_in = Some(pattern.piece()),
                false => {}
            }
        }
    }
    Ok(show_matches(text, count, &found))
}

/// What a search has found.
#[derive(Debug, Default)]
struct Found {
    /// The numbers of the lines that match.
    lines: Vec<usize>,
    /// How many match besides.
    more: usize,
    /// How many bytes at once were searched of a line without a match that has more.
    missed_in: Option<usize>,
}

impl Found {
    /// What may not have been found, behind a semicolon.
    fn reservation(&self) -> String {
        self.missed_in.map_or_else(String::new, |piece| {
            let longest = piece / 2;
            format!(
                "; in lines of more than {piece} bytes only matches of at most {longest} bytes were looked for"
            )
        })
    }
}

/// The lines that were found with those around them.
fn show_matches(text: &str, count: usize, found: &Found) -> String {
    let (matches, reservation) = (&found.lines, found.reservation());
    let (total, lines) = (matches.len() + found.more, lines_of(count));
    if total == 0 {
        return format!("[no line matches; the text has {lines}{reservation}]");
    }
    let around = |line: &usize| line.saturating_sub(CONTEXT).max(1)..=(line + CONTEXT).min(count);
    let shown = LineRanges::union(matches.iter().map(around).collect());
    let mut answer = format!("[{total} of {lines} match");
    if found.more > 0 {
        let _ = write!(answer, ", here are the first {}", matches.len());
    }
    answer.push_str("; \"12:\" stands before a line that matches, \"12-\" before one around it");
    let _ = writeln!(answer, "{reservation}]");
    let mut matches = matches.iter().peekable();
    let mut next = numbered(text);
    for (position, range) in shown.iter().enumerate() {
        if position > 0 {
            answer.push_str("--\n");
        }
        for (number, line) in in_range(&mut next, *range.start(), *range.end()) {
            let is_match = matches.next_if_eq(&&number).is_some();
            let sign = if is_match { ':' } else { '-' };
            let _ = writeln!(answer, "{number}{sign}{line}");
        }
    }
    answer.pop();
    answer
}

/// The lines of a text, each with its number.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.split('\n'))
}

/// The lines from `first` to `last` of those that are left.
fn in_range<'a>(
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
    first: usize,
    last: usize,
) -> impl Iterator<Item = (usize, &'a str)> {
    lines
        .skip_while(move |(number, _)| *number < first)
        .take(last - first + 1)
}

fn lines_of(count: usize) -> String {
    match count {
        1 => "1 line".to_owned(),
        _ => format!("{count} lines"),
    }
}
