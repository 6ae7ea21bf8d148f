//! What stands earlier in the same prefix.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::references::{self, Window};
use super::size::cost;
use super::wrapped::Wrapped;
use super::{OPENING, Source, ansi, gutter, json, label, lines, runs, search};

/// An index over the lines of the earlier blocks' original texts.
///
/// A line is only found where the model reads it word for word: not where the earlier block's own form would hold it in a
/// table, a group or a reference. Blocks are numbered from 1 in the order in which they are pushed.
#[derive(Debug, Default)]
pub struct Earlier<'a> {
    blocks: Vec<Block<'a>>,
    /// The first block that has a text, with or without what is put around it, by the text's hash.
    texts: HashMap<u64, usize>,
    windows: HashMap<u64, Places>,
}

/// The lines of an earlier block as the model reads them.
#[derive(Debug)]
struct Block<'a> {
    original: &'a str,
    label: String,
    /// The original without colours and line numbers, if it had any. A header stands first, as in a form.
    stripped: Option<String>,
    /// Where each line begins, and after them all where one more would.
    starts: Vec<u32>,
    /// Whether the block's form would hold a line in another shape.
    hidden: Vec<bool>,
    /// The number by which the first line is named.
    first: i64,
}

/// A line of an earlier block, both counted from 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) block: usize,
    pub(super) line: usize,
}

/// A block, by its number, that as a whole is some text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Block(usize),
    /// Without what is put around it.
    Core(usize),
}

/// The first places where a window stands. More would only rarely give a longer run, and would cost time.
#[derive(Debug, Default)]
struct Places([Option<(u32, u32)>; 3]);

impl<'a> Earlier<'a> {
    /// Adds the next block of the conversation, whether or not it got a form. Linear in the block.
    pub fn push(&mut self, block: Source<'a>) {
        let number = self.blocks.len();
        let entry = self.read(block);
        for text in [Cow::Borrowed(block.text), core(block.text)] {
            self.texts.entry(hash(&*text)).or_insert(number);
        }
        let windows: Vec<Window> = entry.windows();
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

    /// The first block whose text is `text`, with or without what is put around it.
    pub(super) fn find_whole(&self, text: &str) -> Option<Whole> {
        let index = *self.texts.get(&hash(text))?;
        let original = self.blocks[index].original;
        let number = index + 1;
        match text {
            text if text == original => Some(Whole::Block(number)),
            text if text == core(original) => Some(Whole::Core(number)),
            _ => None,
        }
    }

    /// Whether there is no window to be found.
    pub(super) fn has_no_lines(&self) -> bool {
        self.windows.is_empty()
    }

    /// The places where a window may stand; the caller compares the lines.
    pub(super) fn find_window(&self, hash: u64) -> impl Iterator<Item = Line> {
        let places = self.windows.get(&hash).map_or([None; 3], |places| places.0);
        places.into_iter().flatten().map(|(block, line)| Line {
            block: block as usize,
            line: line as usize,
        })
    }

    /// A line, if there is one and the model reads it word for word.
    pub(super) fn shown(&self, at: Line) -> Option<&str> {
        let block = self.blocks.get(at.block)?;
        (!block.hidden.get(at.line)?).then(|| block.line(at.line))?
    }

    /// The number by which a line is named.
    pub(super) fn line_number(&self, at: Line) -> Option<i64> {
        self.blocks
            .get(at.block)?
            .first
            .checked_add(i64::try_from(at.line).ok()?)
    }

    /// The line that [`Earlier::line_number`] names so in the block of this number.
    pub(super) fn numbered_line(&self, number: usize, line: i64) -> Option<&str> {
        let block = self.blocks.get(number.checked_sub(1)?)?;
        block.line(usize::try_from(line.checked_sub(block.first)?).ok()?)
    }

    /// What to call the block of this number.
    pub(super) fn label(&self, number: usize) -> Option<&str> {
        Some(&self.blocks.get(number.checked_sub(1)?)?.label)
    }

    /// The text that [`Earlier::find_whole`] found.
    pub(super) fn whole(&self, found: Whole) -> Option<Cow<'a, str>> {
        let (Whole::Block(number) | Whole::Core(number)) = found;
        let original = self.blocks.get(number.checked_sub(1)?)?.original;
        Some(match found {
            Whole::Block(_) => Cow::Borrowed(original),
            Whole::Core(_) => core(original),
        })
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
        // Lines of JSON are shown without their white space, and offsets are kept in 32 bits.
        if json::is_json(&core(&plain)) || u32::try_from(plain.len()).is_err() {
            return block;
        }
        let mut numbered = false;
        if let Some(stripped) = gutter::strip(&plain)
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
            let end = lines.iter().position(|line| gutter::is_mark(line));
            hidden[end.unwrap_or(lines.len())..].fill(true);
        }
        (block.starts, block.hidden) = (starts, hidden);
        block
    }

    fn hidden_lines(&self, text: &str, lines: &[&str]) -> Vec<bool> {
        if search::is_search(text) {
            return vec![true; lines.len()];
        }
        let mut hidden: Vec<bool> = lines.iter().map(|l| l.starts_with(OPENING)).collect();
        for found in references::find(lines, self) {
            hidden[found.lines()].fill(true);
        }
        // Numbered files are not searched for runs.
        if !text.starts_with(OPENING) {
            for run in runs::find(lines) {
                hidden[run.lines()].fill(true);
            }
        }
        hidden
    }
}

impl Block<'_> {
    fn text(&self) -> &str {
        self.stripped.as_deref().unwrap_or(self.original)
    }

    fn line(&self, index: usize) -> Option<&str> {
        let start = *self.starts.get(index)? as usize;
        let next = *self.starts.get(index + 1)? as usize;
        self.text().get(start..next - 1)
    }

    /// The windows whose lines are all shown.
    fn windows(&self) -> Vec<Window> {
        if self.hidden.is_empty() {
            return Vec::new();
        }
        references::windows(&lines(self.text()))
            .filter(|window| !self.hidden[window.lines()].contains(&true))
            .collect()
    }
}

impl Places {
    fn add(&mut self, place: (u32, u32)) {
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(place);
        }
    }
}

/// A text without what is put around it.
fn core(text: &str) -> Cow<'_, str> {
    Wrapped::of(text).map_or(Cow::Borrowed(text), |wrapped| wrapped.core)
}

/// The hash of lines and texts: the same in every process. What is found by it is always compared.
pub(super) fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
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
