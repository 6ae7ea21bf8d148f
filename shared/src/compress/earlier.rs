//! The index of the earlier blocks of the same prefix, in which compressors look texts and lines up.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::call::Call;
use super::deadline::Deadline;
use super::lookup::{Line, Lookup};
use super::wrapper;

/// An index over the lines of the earlier blocks' original texts, which it holds. A clone is cheap: it shares all that is in it, and either
/// may go on by itself.
///
/// A line is only found where the model reads it word for word: not where the earlier block's own form would hold it in a
/// table, a group or a reference. A form calls a block by its label, and says the how-many-th it is where several have the same.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    pub(super) blocks: Vec<Arc<Block>>,
    pub(super) lookup: Lookup,
    pub(super) deadline: Deadline,
}

/// The lines of an earlier block, or of a text in a tool call, as the model reads them.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) original: Box<str>,
    pub(super) label: Box<str>,
    /// The file that it is from, or was written to.
    pub(super) file: Option<Box<str>>,
    /// Whether the model wrote it, in a tool call.
    pub(super) is_from_model: bool,
    /// The original without colours and line numbers, if it had any. A header comes first, as in a form.
    pub(super) stripped: Option<Box<str>>,
    /// Where each line begins, and after them all where one more would.
    pub(super) starts: Box<[u32]>,
    /// Whether the block's form would hold a line in another shape.
    pub(super) hidden: Box<[bool]>,
    /// The number by which the first line is named.
    pub(super) first: i64,
    /// How many lines at the end can only be named as the last ones.
    pub(super) last: usize,
}

/// Lines of a block, as a form names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineNames {
    /// From this number to that one.
    Numbers(i64, i64),
    /// The last ones, so many.
    Last(usize),
}

/// A block, by its position, that as a whole is some text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Block(u32),
    /// What of its text is within all that is around it, or within some of that: the one of so many bytes.
    Inside {
        block: u32,
        bytes: usize,
    },
}

impl Earlier {
    /// The same, for work that is given up at `deadline`: a block whose pushing does not end before it is left out, and
    /// [`compress`](super::compress) gives no form any more.
    #[must_use]
    pub fn until(self, deadline: Deadline) -> Self {
        Self { deadline, ..self }
    }

    /// How many blocks are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether no block is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Leaves out all blocks but the first `len`.
    pub fn truncate(&mut self, len: usize) {
        if let Ok(end) = u32::try_from(len)
            && len < self.blocks.len()
        {
            self.blocks.truncate(len);
            self.lookup.truncate(end);
        }
    }

    /// Merges the tables of what was pushed since the last clone into those from before, where they are not much smaller. Where an index
    /// is cloned and continued again and again, this keeps it as fast as one that was made at once.
    pub fn merge(&mut self) {
        self.lookup.merge();
    }

    /// Bytes of memory that it takes, about. What it shares with its clones is counted in each.
    #[must_use]
    pub fn memory(&self) -> usize {
        let blocks = self.blocks.iter().map(|block| block.memory());
        blocks.sum::<usize>() + self.lookup.memory()
    }

    /// The first block whose text is `text`, with or without what is put around it.
    pub(super) fn find_whole(&self, text: &str) -> Option<Whole> {
        let block = self.lookup.find_text(hash(text))?;
        let original = &*self.block(block)?.original;
        if text == original {
            return Some(Whole::Block(block));
        }
        let is_inside = wrapper::insides(original).contains(&Cow::Borrowed(text));
        let bytes = text.len();
        is_inside.then_some(Whole::Inside { block, bytes })
    }

    /// The first block that is from the file that `call` is about, and has this text.
    pub(super) fn find_of_file(&self, text: &str, call: &Call) -> Option<u32> {
        let mut blocks = self.blocks.iter();
        let is_it =
            |block: &Arc<Block>| *block.original == *text && call.is_of_file(block.file.as_deref());
        blocks.position(is_it).and_then(|at| u32::try_from(at).ok())
    }

    /// Whether there is no line to be found.
    pub(super) fn has_no_lines(&self) -> bool {
        self.lookup.has_no_windows()
    }

    /// The places where a window may appear; the caller compares the lines.
    pub(super) fn find_window(&self, hash: u64) -> impl Iterator<Item = Line> {
        self.lookup.find_window(hash)
    }

    /// The block at this position.
    pub(super) fn block(&self, at: u32) -> Option<&Block> {
        self.blocks.get(at as usize).map(|block| &**block)
    }

    /// What a form calls the block at this position: its label, and before it `2nd` where there are several.
    pub(super) fn name(&self, at: u32) -> Option<String> {
        let label = &*self.block(at)?.label;
        let hash = hash(label);
        if self.lookup.count_labels(hash, u32::MAX) == 1 {
            return Some(label.to_owned());
        }
        let nth = self.lookup.count_labels(hash, at) + 1;
        Some(format!("{nth}{} {label}", ordinal_suffix(nth)))
    }

    /// The position of the block that a form calls so.
    pub(super) fn named(&self, name: &str) -> Option<u32> {
        let nth = read_ordinal(name)
            .and_then(|(nth, label)| self.lookup.find_label(hash(label), nth.checked_sub(1)?));
        nth.or_else(|| self.lookup.find_label(hash(name), 0))
    }

    /// The text that [`Earlier::find_whole`] found.
    pub(super) fn whole(&self, found: Whole) -> Option<Cow<'_, str>> {
        match found {
            Whole::Block(block) => Some(Cow::Borrowed(&*self.block(block)?.original)),
            // Each is shorter than the one that it is within.
            Whole::Inside { block, bytes } => wrapper::insides(&self.block(block)?.original)
                .into_iter()
                .find(|inside| inside.len() == bytes),
        }
    }
}

fn ordinal_suffix(number: usize) -> &'static str {
    match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

/// The number in `2nd text`, and the text.
fn read_ordinal(name: &str) -> Option<(usize, &str)> {
    let (ordinal, text) = name.split_once(' ')?;
    let digits = ordinal.find(|c: char| !c.is_ascii_digit())?;
    let number = ordinal[..digits].parse().ok()?;
    (&ordinal[digits..] == ordinal_suffix(number)).then_some((number, text))
}

impl Block {
    pub(super) fn text(&self) -> &str {
        self.stripped.as_deref().unwrap_or(&self.original)
    }

    /// A line, counted from 0, if there is one and the model reads it word for word.
    pub(super) fn shown(&self, line: usize) -> Option<&str> {
        (!self.hidden.get(line)?).then(|| self.line(line))?
    }

    /// Whether a line, counted from 0, stands behind what a file holds: what a client says of it.
    pub(super) fn is_behind_file(&self, line: usize) -> bool {
        line >= self.hidden.len() - self.last
    }

    /// How a form names these lines, counted from 0.
    pub(super) fn line_names(&self, lines: Range<usize>) -> Option<LineNames> {
        let all = self.hidden.len();
        if self.is_behind_file(lines.start) {
            return (lines.end == all).then_some(LineNames::Last(lines.len()));
        }
        let number = |line: usize| self.first.checked_add(i64::try_from(line).ok()?);
        let numbers = LineNames::Numbers(number(lines.start)?, number(lines.end)? - 1);
        (lines.end <= all - self.last).then_some(numbers)
    }

    /// The lines that a form names so.
    pub(super) fn named_lines(&self, names: LineNames) -> Option<impl Iterator<Item = &str>> {
        let all = self.hidden.len();
        let index = |number: i64| usize::try_from(number.checked_sub(self.first)?).ok();
        let lines = match names {
            LineNames::Numbers(first, last) => index(first)?..index(last)?.checked_add(1)?,
            LineNames::Last(count) => all.checked_sub(count)?..all,
        };
        let is_in = lines.start <= lines.end && lines.end <= all;
        is_in.then(|| lines.filter_map(|line| self.line(line)))
    }

    fn line(&self, index: usize) -> Option<&str> {
        let start = *self.starts.get(index)? as usize;
        let next = *self.starts.get(index + 1)? as usize;
        self.text().get(start..next - 1)
    }

    fn memory(&self) -> usize {
        // Two counts and a pointer hold it in its index.
        size_of::<Self>()
            + 3 * size_of::<usize>()
            + self.original.len()
            + self.label.len()
            + self.file.as_ref().map_or(0, |file| file.len())
            + self.stripped.as_ref().map_or(0, |text| text.len())
            + size_of_val(&*self.starts)
            + size_of_val(&*self.hidden)
    }
}

/// The hash of lines and texts: the same in every process. What is found by it is always compared.
pub(super) fn hash(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_read_as_they_are_written() {
        for number in 1..200 {
            let name = format!("{number}{} Read a", ordinal_suffix(number));
            assert_eq!(read_ordinal(&name), Some((number, "Read a")));
        }
        assert_eq!(ordinal_suffix(112), "th");
        for other in ["Read a", "2 a", "2th a", "2nd", "st a", ""] {
            assert_eq!(read_ordinal(other), None, "{other}");
        }
    }
}
