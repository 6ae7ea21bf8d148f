//! Adds blocks to the index of earlier blocks: which of their lines a later block may refer to.

use std::borrow::Cow;
use std::sync::Arc;

use super::earlier::{Block, Earlier, core, hash};
use super::references::{self, Window};
use super::size::cost;
use super::{OPENING, Source, ansi, json, label, line_numbers, lines, runs, search};

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
        let core = core(block.text);
        let (entry, windows) = self.read(block, &core);
        let texts = [hash(block.text), hash(&*core)];
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

    fn read(&self, source: Source<'_>, core_of_text: &str) -> (Block, Vec<Window>) {
        let plain = ansi::readable(source);
        let core = match &plain {
            Cow::Borrowed(_) => Cow::Borrowed(core_of_text),
            Cow::Owned(plain) => core(plain),
        };
        let (mut first, mut stripped, mut found) = (1, None, Lines::default());
        // Offsets are kept in 32 bits.
        if !json::hides_lines(&core, self) && u32::try_from(plain.len()).is_ok() {
            let mut numbered = false;
            if let Some(taken_off) = line_numbers::strip(&plain)
                && cost(&taken_off.text) < cost(&plain)
            {
                let number = taken_off.first.and_then(|first| i64::try_from(first).ok());
                numbered = number.is_some();
                // The header is the line before the first.
                first = number.unwrap_or(1) - 1;
                stripped = Some(taken_off.text.into_boxed_str());
            } else if plain.len() < source.text.len() {
                stripped = Some(Box::from(&*plain));
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
