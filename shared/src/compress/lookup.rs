//! Where in the earlier blocks a text, a label or a few lines stand, by their hashes.

use std::sync::Arc;

use foldhash::HashMap;

/// A part that is less than this many times smaller than the one before it is merged into that. So parts are few, and each entry is
/// copied only a few times.
const GROWTH: usize = 8;

/// A line of an earlier block, both counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) block: u32,
    pub(super) line: u32,
}

/// The lookup tables of all earlier blocks, in parts that clones share.
#[derive(Debug, Clone, Default)]
pub(super) struct Lookup {
    parts: Vec<Part>,
}

/// The tables of consecutive blocks.
#[derive(Debug, Clone)]
struct Part {
    tables: Arc<Tables>,
    /// The number of the first block that does not count although it may be in the tables.
    end: u32,
}

#[derive(Debug, Clone, Default)]
struct Tables {
    /// The first block that has a text, with or without what is put around it.
    texts: HashMap<u64, u32>,
    /// The first place where a window appears.
    windows: HashMap<u64, Line>,
    /// The second and third place, where there are any. More would only rarely give a longer run, and would cost time.
    repeated: HashMap<u64, [Option<Line>; 2]>,
    /// The blocks that have a label, in their order.
    labels: HashMap<u64, Vec<u32>>,
    /// The number of the first block that is not in them.
    end: u32,
}

impl Lookup {
    /// Adds the next block, which has this number: the hashes of its label and its text, and those of its windows with the lines where they
    /// begin.
    pub(super) fn add(
        &mut self,
        block: u32,
        label: u64,
        texts: impl IntoIterator<Item = u64>,
        windows: impl IntoIterator<Item = (u64, u32)>,
    ) {
        let tables = self.own_tables(block);
        tables.labels.entry(label).or_default().push(block);
        for hash in texts {
            tables.texts.entry(hash).or_insert(block);
        }
        for (hash, line) in windows {
            tables.add_window(hash, Line { block, line });
        }
    }

    /// The tables that the next block is added to: those of the last part, unless they are shared or hold blocks that do not count.
    fn own_tables(&mut self, block: u32) -> &mut Tables {
        let last = self.parts.last_mut();
        let is_own = last.is_some_and(|part| {
            part.end == part.tables.end && Arc::get_mut(&mut part.tables).is_some()
        });
        if !is_own {
            self.parts.push(Part {
                tables: Arc::default(),
                end: block,
            });
        }
        let at = self.parts.len() - 1;
        let part = &mut self.parts[at];
        part.end = block + 1;
        let tables = Arc::make_mut(&mut part.tables);
        tables.end = block + 1;
        tables
    }

    /// The first block that may have this text.
    pub(super) fn find_text(&self, hash: u64) -> Option<u32> {
        let found = |part: &Part| {
            let block = *part.tables.texts.get(&hash)?;
            (block < part.end).then_some(block)
        };
        self.parts.iter().find_map(found)
    }

    /// The first places where a window may appear.
    pub(super) fn find_window(&self, hash: u64) -> impl Iterator<Item = Line> {
        let mut found = [None; 3];
        let mut free = found.iter_mut();
        // Most windows are nowhere.
        for part in self.parts.iter().filter(|part| part.has_window(hash)) {
            for (place, free) in part.places(hash).zip(free.by_ref()) {
                *free = Some(place);
            }
        }
        found.into_iter().flatten()
    }

    /// How many blocks before this one may have a label.
    pub(super) fn count_labels(&self, hash: u64, before: u32) -> usize {
        let parts = self.parts.iter();
        parts.map(|part| part.labelled(hash, before).len()).sum()
    }

    /// The block that may be the one with this label that has so many of them before it.
    pub(super) fn find_label(&self, hash: u64, mut before: usize) -> Option<u32> {
        self.parts.iter().find_map(|part| {
            let blocks = part.labelled(hash, u32::MAX);
            let found = blocks.get(before).copied();
            before = before.saturating_sub(blocks.len());
            found
        })
    }

    /// Whether there is no window to be found.
    pub(super) fn has_no_windows(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.all(|part| part.tables.windows.is_empty())
    }

    /// Leaves out the blocks from this number on.
    pub(super) fn truncate(&mut self, end: u32) {
        let mut start = 0;
        self.parts.retain_mut(|part| {
            let kept = start < end;
            start = part.end;
            part.end = part.end.min(end);
            kept
        });
    }

    /// Merges small parts, so that what is looked up is looked up in few places.
    pub(super) fn merge(&mut self) {
        while let [.., before, last] = &self.parts[..]
            && last.size() * GROWTH > before.size()
        {
            let Some(last) = self.parts.pop() else { break };
            let Some(before) = self.parts.last_mut() else {
                break;
            };
            before.append(&last);
        }
    }

    /// Bytes of memory that it takes, about.
    pub(super) fn memory(&self) -> usize {
        let parts = self.parts.iter();
        parts
            .map(|part| {
                let tables = &part.tables;
                table_bytes(&tables.texts)
                    + table_bytes(&tables.windows)
                    + table_bytes(&tables.repeated)
                    + table_bytes(&tables.labels)
                    + tables
                        .labels
                        .values()
                        .map(|of| size_of::<u32>() * of.capacity())
                        .sum::<usize>()
                    + size_of::<Part>()
                    + size_of::<Tables>()
            })
            .sum()
    }
}

impl Part {
    fn size(&self) -> usize {
        self.tables.texts.len() + self.tables.windows.len()
    }

    fn has_window(&self, hash: u64) -> bool {
        self.tables.windows.contains_key(&hash)
    }

    /// The places of a window in the blocks that count.
    fn places(&self, hash: u64) -> impl Iterator<Item = Line> {
        let first = self.tables.windows.get(&hash).copied();
        let others = first.and_then(|_| self.tables.repeated.get(&hash));
        let others = others.copied().into_iter().flatten().flatten();
        let end = self.end;
        first
            .into_iter()
            .chain(others)
            .filter(move |place| place.block < end)
    }

    /// The blocks with a label that count, before this one.
    fn labelled(&self, hash: u64, before: u32) -> &[u32] {
        let blocks = self.tables.labels.get(&hash).map_or(&[][..], Vec::as_slice);
        let end = self.end.min(before);
        &blocks[..blocks.partition_point(|block| *block < end)]
    }

    /// Adds the blocks of the next part.
    fn append(&mut self, next: &Self) {
        let (counts, end) = (|block: u32| block < next.end, self.end);
        let tables = Arc::make_mut(&mut self.tables);
        if tables.end > end {
            tables.truncate(end);
        }
        for (hash, block) in next
            .tables
            .texts
            .iter()
            .filter(|(_, block)| counts(**block))
        {
            tables.texts.entry(*hash).or_insert(*block);
        }
        for hash in next.tables.labels.keys() {
            let blocks = next.labelled(*hash, u32::MAX);
            tables.labels.entry(*hash).or_default().extend(blocks);
        }
        for hash in next.tables.windows.keys() {
            for place in next.places(*hash) {
                tables.add_window(*hash, place);
            }
        }
        (tables.end, self.end) = (next.end, next.end);
    }
}

impl Tables {
    /// Adds a place of a window behind all that are known.
    fn add_window(&mut self, hash: u64, place: Line) {
        let first = *self.windows.entry(hash).or_insert(place);
        if first != place {
            let others = self.repeated.entry(hash).or_default();
            if let Some(free) = others.iter_mut().find(|other| other.is_none()) {
                *free = Some(place);
            }
        }
    }

    fn truncate(&mut self, end: u32) {
        self.texts.retain(|_, block| *block < end);
        self.labels.retain(|_, blocks| {
            blocks.retain(|block| *block < end);
            !blocks.is_empty()
        });
        self.windows.retain(|_, place| place.block < end);
        self.repeated.retain(|_, others| {
            for other in others.iter_mut() {
                *other = other.filter(|place| place.block < end);
            }
            others[0].is_some()
        });
    }
}

/// Bytes of a table's buckets: a power of two of them, at most seven eighths full, with a byte of its own for each.
fn table_bytes<K, V>(table: &HashMap<K, V>) -> usize {
    let buckets = match table.capacity() {
        0 => 0,
        capacity => (capacity * 8 / 7).next_power_of_two(),
    };
    buckets * (size_of::<(K, V)>() + 1)
}

#[cfg(test)]
mod tests;
