//! Adds blocks to the index of earlier blocks: which of their lines a later block may refer to.

use std::borrow::Cow;

use super::earlier::{Block, Earlier, core, hash};
use super::references::{self, Window};
use super::size::cost;
use super::{OPENING, Source, ansi, json, label, line_numbers, lines, runs, search};

impl<'a> Earlier<'a> {
    /// Adds the next block of the conversation, whether or not it got a form. Linear in the block.
    pub fn push(&mut self, block: Source<'a>) {
        let number = self.blocks.len();
        let entry = self.read(block);
        for text in [Cow::Borrowed(block.text), core(block.text)] {
            self.texts.entry(hash(&*text)).or_insert(number);
        }
        let windows: Vec<Window> = shown_windows(&entry);
        for window in windows {
            let (Ok(block), Ok(line)) = (u32::try_from(number), u32::try_from(window.line)) else {
                break;
            };
            self.windows
                .entry(window.hash)
                .or_default()
                .add((block, line));
        }
        self.blocks.push(entry);
    }

    fn read(&self, source: Source<'a>) -> Block<'a> {
        let mut block = Block {
            original: source.text,
            label: label::label(source.tool, source.input),
            stripped: None,
            starts: Vec::new(),
            hidden: Vec::new(),
            first: 1,
        };
        let plain = ansi::readable(source);
        // Offsets are kept in 32 bits.
        if json::hides_lines(&core(&plain), self) || u32::try_from(plain.len()).is_err() {
            return block;
        }
        let mut numbered = false;
        if let Some(stripped) = line_numbers::strip(&plain)
            && cost(&stripped.text) < cost(&plain)
        {
            let first = stripped.first.and_then(|first| i64::try_from(first).ok());
            numbered = first.is_some();
            // The header is the line before the first.
            block.first = first.unwrap_or(1) - 1;
            block.stripped = Some(stripped.text);
        } else if plain.len() < source.text.len() {
            block.stripped = Some(plain.into_owned());
        }
        let lines = lines(block.text());
        let starts = line_starts(&lines);
        let mut hidden = self.hidden_lines(block.text(), &lines);
        if numbered {
            // Where the count breaks off, lines can no longer be named by their numbers in the file.
            let end = lines.iter().position(|line| line_numbers::is_mark(line));
            hidden[end.unwrap_or(lines.len())..].fill(true);
        }
        (block.starts, block.hidden) = (starts, hidden);
        block
    }

    fn hidden_lines(&self, text: &str, lines: &[&str]) -> Vec<bool> {
        if search::is_search(text, self.deadline) {
            return vec![true; lines.len()];
        }
        let mut hidden: Vec<bool> = lines.iter().map(|l| l.starts_with(OPENING)).collect();
        for found in references::find(lines, self) {
            hidden[found.lines()].fill(true);
        }
        // Numbered files are not searched for runs.
        if !text.starts_with(OPENING) {
            for run in runs::find(lines, self.deadline) {
                hidden[run.lines()].fill(true);
            }
        }
        hidden
    }
}

/// The windows of a block whose lines are all shown.
fn shown_windows(block: &Block<'_>) -> Vec<Window> {
    if block.hidden.is_empty() {
        return Vec::new();
    }
    references::windows(&lines(block.text()))
        .filter(|window| !block.hidden[window.lines()].contains(&true))
        .collect()
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
