//! Adds blocks to the index of earlier blocks: which of their lines a later block may refer to.

use std::borrow::Cow;
use std::sync::Arc;

use super::earlier::{Block, Earlier, hash};
use super::references::{self, Window};
use super::size::{Costed, cost, without_numbers};
use super::wrapper::{self, Wrapped};
use super::{OPENING, Source, ansi, json, label, line_numbers, lines, log, runs, search};

/// The lines of a block as a later block may refer to them.
#[derive(Default)]
struct Lines {
    starts: Vec<u32>,
    hidden: Vec<bool>,
    /// The windows whose lines are all shown.
    windows: Vec<Window>,
}

impl Earlier {
    /// Adds the next block of the conversation, whether or not it got a form; `false` where the deadline came first and it is left out.
    /// Linear in the block.
    pub fn push(&mut self, block: Source<'_>) -> bool {
        let Ok(number) = u32::try_from(self.blocks.len()) else {
            return false;
        };
        if self.deadline.is_over() {
            return false;
        }
        let insides = wrapper::insides(block.text);
        let (entry, windows) = self.read(block, &insides);
        let insides = insides.iter().map(|inside| hash(&**inside));
        let texts: Vec<u64> = insides.chain([hash(block.text)]).collect();
        // Past the deadline the loops ended early, so the lines may be incomplete.
        if self.deadline.is_over() {
            return false;
        }
        let windows = windows.into_iter().map_while(|window| {
            let line = u32::try_from(window.line).ok()?;
            Some((window.hash, line))
        });
        self.lookup.add(number, texts, windows);
        self.blocks.push(Arc::new(entry));
        true
    }

    fn read(&self, source: Source<'_>, insides: &[Cow<'_, str>]) -> (Block, Vec<Window>) {
        let plain = ansi::readable(source);
        let of_plain = match &plain {
            Cow::Borrowed(_) => None,
            Cow::Owned(plain) => Some(wrapper::insides(plain)),
        };
        let insides = of_plain.as_deref().unwrap_or(insides);
        let innermost = insides.last().map_or(&*plain, |inside| inside);
        let (mut first, mut stripped, mut found) = (1, None, Lines::default());
        // Offsets are kept in 32 bits.
        if !json::hides_lines(innermost, self) && u32::try_from(plain.len()).is_ok() {
            let read = match insides {
                [] => Cow::Borrowed(&*plain),
                _ => as_read(&plain),
            };
            let mut numbered = false;
            if let Some(taken_off) = without_numbers(&read) {
                let number = taken_off.first.and_then(|first| i64::try_from(first).ok());
                numbered = number.is_some();
                // The header is the line before the first.
                first = number.unwrap_or(1) - 1;
                stripped = Some(taken_off.text.into_boxed_str());
            } else if *read != *source.text {
                stripped = Some(Box::from(&*read));
            }
            found = self.lines(stripped.as_deref().unwrap_or(source.text), numbered);
        }
        let block = Block {
            original: Box::from(source.text),
            label: label::label(source.tool, source.input).into_boxed_str(),
            stripped,
            starts: found.starts.into_boxed_slice(),
            hidden: found.hidden.into_boxed_slice(),
            first,
        };
        (block, found.windows)
    }

    fn lines(&self, text: &str, numbered: bool) -> Lines {
        let lines = lines(text);
        let starts = line_starts(&lines);
        if search::is_search(text, self.deadline) {
            return Lines {
                starts,
                hidden: vec![true; lines.len()],
                windows: Vec::new(),
            };
        }
        let mut windows = references::windows(&lines, self.deadline);
        let mut hidden: Vec<bool> = lines.iter().map(|l| l.starts_with(OPENING)).collect();
        for found in references::find(&lines, &windows, self) {
            hidden[found.lines()].fill(true);
        }
        // Numbered files are not searched for runs.
        if !text.starts_with(OPENING) {
            for run in runs::find(&lines, self.deadline) {
                hidden[run.lines()].fill(true);
            }
        }
        if let Some(in_log) = log::hidden(&lines, self.deadline) {
            for (hidden, in_log) in hidden.iter_mut().zip(in_log) {
                *hidden |= in_log;
            }
        }
        if numbered {
            // Where the count breaks off, lines can no longer be named by their numbers in the file.
            let end = lines.iter().position(|line| line_numbers::is_mark(line));
            hidden[end.unwrap_or(lines.len())..].fill(true);
        }
        windows.retain(|window| !hidden[window.lines()].contains(&true));
        Lines {
            starts,
            hidden,
            windows,
        }
    }
}

/// The part of a text whose lines its form shows and names: what is in a JSON string that is sent without its escapes, what begins with
/// the line numbers of a file behind lines without, and otherwise all of it.
fn as_read(text: &str) -> Cow<'_, str> {
    let mut read = Cow::Borrowed(text);
    for _ in 0..wrapper::MAX_DEPTH {
        let Some(content) = content_sent_unescaped(&read) else {
            break;
        };
        read = Cow::Owned(content);
    }
    let start = Wrapped::split(&read).map_or(0, |wrapped| wrapped.start());
    if start > 0 && is_numbered_throughout(&read[start..]) {
        return Cow::Owned(read[start..].to_owned());
    }
    read
}

fn content_sent_unescaped(text: &str) -> Option<String> {
    let wrapped = Wrapped::split(text)?;
    let unescaped = wrapped.unescaped()?;
    let form = match line_numbers::strip(&wrapped.inside) {
        Some(stripped) => wrapped.with_form(&stripped.text),
        None => unescaped,
    };
    let is_sent = Costed::new(form).is_worth_sending(&Costed::new(text));
    is_sent.then(|| wrapped.inside.into_owned())
}

/// Whether a text's lines can all be named by the numbers before them.
fn is_numbered_throughout(text: &str) -> bool {
    line_numbers::strip(text.trim_end()).is_some_and(|stripped| {
        let breaks_off = stripped.text.split('\n').any(line_numbers::is_mark);
        !breaks_off && cost(&stripped.text) < cost(text)
    })
}

fn line_starts(lines: &[&str]) -> Vec<u32> {
    let mut starts = Vec::with_capacity(lines.len() + 1);
    let mut next = 0;
    starts.push(0);
    for line in lines {
        next += line.len() + 1;
        starts.extend(u32::try_from(next));
    }
    starts
}
