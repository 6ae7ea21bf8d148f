//! The index of the earlier blocks of the same prefix, in which compressors look texts and lines up.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::deadline::Deadline;
use super::lookup::{Line, Lookup};
use super::wrapper;

/// An index over the lines of the earlier blocks' original texts, which it holds. A clone is cheap: it shares all that is in it, and either
/// may go on by itself.
///
/// A line is only found where the model reads it word for word: not where the earlier block's own form would hold it in a
/// table, a group or a reference. Blocks are numbered from 1 in the order in which they are pushed.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    pub(super) blocks: Vec<Arc<Block>>,
    pub(super) lookup: Lookup,
    pub(super) deadline: Deadline,
}

/// The lines of an earlier block as the model reads them.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) original: Box<str>,
    pub(super) label: Box<str>,
    /// The original without colours and line numbers, if it had any. A header comes first, as in a form.
    pub(super) stripped: Option<Box<str>>,
    /// Where each line begins, and after them all where one more would.
    pub(super) starts: Box<[u32]>,
    /// Whether the block's form would hold a line in another shape.
    pub(super) hidden: Box<[bool]>,
    /// The number by which the first line is named.
    pub(super) first: i64,
}

/// A block, by its number, that as a whole is some text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Block(usize),
    /// What of its text is within all that is around it, or within some of that: the one of so many bytes.
    Inside {
        block: usize,
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
        let index = self.lookup.find_text(hash(text))? as usize;
        let original = &*self.blocks.get(index)?.original;
        let (block, bytes) = (index + 1, text.len());
        if text == original {
            return Some(Whole::Block(block));
        }
        let is_inside = wrapper::insides(original).contains(&Cow::Borrowed(text));
        is_inside.then_some(Whole::Inside { block, bytes })
    }

    /// Whether there is no line to be found.
    pub(super) fn has_no_lines(&self) -> bool {
        self.lookup.has_no_windows()
    }

    /// The places where a window may appear; the caller compares the lines.
    pub(super) fn find_window(&self, hash: u64) -> impl Iterator<Item = Line> {
        self.lookup.find_window(hash)
    }

    /// The block that a line is in.
    pub(super) fn block(&self, at: Line) -> Option<&Block> {
        self.blocks.get(at.block as usize).map(|block| &**block)
    }

    /// The line that [`Block::line_number`] names so in the block of this number.
    pub(super) fn numbered_line(&self, number: usize, line: i64) -> Option<&str> {
        let block = self.blocks.get(number.checked_sub(1)?)?;
        block.line(usize::try_from(line.checked_sub(block.first)?).ok()?)
    }

    /// What to call the block of this number.
    pub(super) fn label(&self, number: usize) -> Option<&str> {
        Some(&self.blocks.get(number.checked_sub(1)?)?.label)
    }

    /// The text that [`Earlier::find_whole`] found.
    pub(super) fn whole(&self, found: Whole) -> Option<Cow<'_, str>> {
        let original = |number: usize| Some(&*self.blocks.get(number.checked_sub(1)?)?.original);
        match found {
            Whole::Block(block) => original(block).map(Cow::Borrowed),
            // Each is shorter than the one that it is within.
            Whole::Inside { block, bytes } => wrapper::insides(original(block)?)
                .into_iter()
                .find(|inside| inside.len() == bytes),
        }
    }
}

impl Block {
    pub(super) fn text(&self) -> &str {
        self.stripped.as_deref().unwrap_or(&self.original)
    }

    /// A line, counted from 0, if there is one and the model reads it word for word.
    pub(super) fn shown(&self, line: usize) -> Option<&str> {
        (!self.hidden.get(line)?).then(|| self.line(line))?
    }

    /// The number by which a line, counted from 0, is named.
    pub(super) fn line_number(&self, line: usize) -> Option<i64> {
        self.first.checked_add(i64::try_from(line).ok()?)
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
            + self.stripped.as_ref().map_or(0, |text| text.len())
            + size_of_val(&*self.starts)
            + size_of_val(&*self.hidden)
    }
}

/// The hash of lines and texts: the same in every process. What is found by it is always compared.
pub(super) fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
