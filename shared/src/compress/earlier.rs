//! The index of the earlier blocks of the same prefix, in which compressors look texts and lines up.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::deadline::Deadline;
use super::wrapper::WrappedText;

/// An index over the lines of the earlier blocks' original texts.
///
/// A line is only found where the model reads it word for word: not where the earlier block's own form would hold it in a
/// table, a group or a reference. Blocks are numbered from 1 in the order in which they are pushed.
#[derive(Debug, Default)]
pub struct Earlier<'a> {
    pub(super) blocks: Vec<Block<'a>>,
    /// The first block that has a text, with or without what is put around it, by the text's hash.
    pub(super) texts: HashMap<u64, usize>,
    pub(super) windows: HashMap<u64, Places>,
    pub(super) deadline: Deadline,
}

/// The lines of an earlier block as the model reads them.
#[derive(Debug)]
pub(super) struct Block<'a> {
    pub(super) original: &'a str,
    pub(super) label: String,
    /// The original without colours and line numbers, if it had any. A header comes first, as in a form.
    pub(super) stripped: Option<String>,
    /// Where each line begins, and after them all where one more would.
    pub(super) starts: Vec<u32>,
    /// Whether the block's form would hold a line in another shape.
    pub(super) hidden: Vec<bool>,
    /// The number by which the first line is named.
    pub(super) first: i64,
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

/// The first places where a window appears. More would only rarely give a longer run, and would cost time.
#[derive(Debug, Default)]
pub(super) struct Places([Option<(u32, u32)>; 3]);

impl<'a> Earlier<'a> {
    /// The same, for work that is given up at `deadline`: a block that is added after it is incomplete, and
    /// [`compress`](super::compress) gives no form any more.
    #[must_use]
    pub fn until(self, deadline: Deadline) -> Self {
        Self { deadline, ..self }
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

    /// The places where a window may appear; the caller compares the lines.
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
}

impl Block<'_> {
    pub(super) fn text(&self) -> &str {
        self.stripped.as_deref().unwrap_or(self.original)
    }

    fn line(&self, index: usize) -> Option<&str> {
        let start = *self.starts.get(index)? as usize;
        let next = *self.starts.get(index + 1)? as usize;
        self.text().get(start..next - 1)
    }
}

impl Places {
    pub(super) fn add(&mut self, place: (u32, u32)) {
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(place);
        }
    }
}

/// A text without what is put around it.
pub(super) fn core(text: &str) -> Cow<'_, str> {
    WrappedText::split(text).map_or(Cow::Borrowed(text), |wrapped| wrapped.core)
}

/// The hash of lines and texts: the same in every process. What is found by it is always compared.
pub(super) fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
