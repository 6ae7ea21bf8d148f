//! Finds lines of one kind: those that differ in their fields only.

use std::fmt::Write;
use std::ops::Range;

use foldhash::HashMap;
use memchr::memchr;

use super::fields::{self, Common};
use crate::compress::{Deadline, OPENING};

/// What stands around a field's value in the line that names a kind.
pub(super) const OPEN: char = '‹';
pub(super) const CLOSE: char = '›';

/// The first byte of both.
const FIRST_OF_MARK: u8 = "‹".as_bytes()[0];

/// A line of a kind is no longer than this.
const MAX_LINE_BYTES: usize = 8192;

/// What lines of a kind must share.
const MIN_SHARED_BYTES: usize = 8;

/// Bytes that a kind must save.
const MIN_GAIN_BYTES: usize = 20;

/// Bytes that naming a kind costs, and marking a field in its first line.
const NAMING_BYTES: usize = 8;
const FIELD_BYTES: usize = 6;

/// Where more fields differ they have numbers: nobody counts so many values.
const MAX_UNNUMBERED: usize = 8;

/// Words of lines that an agent looks for in a log: these stay whole.
const FAILURES: [&str; 8] = [
    "rror", "ERROR", "FATAL", "xception", "raceback", "panic", "FAIL", "CRIT",
];

/// Lines that differ in their fields only.
pub(super) struct Kind<'a> {
    first: &'a str,
    fields: Vec<Range<usize>>,
    common: Vec<Common>,
    count: usize,
    /// Where the values of each field differ, in the field's value in the first line.
    differing: Vec<Option<Range<usize>>>,
    is_worth: bool,
}

/// The kinds of a text, and of each line which it is of.
pub(super) struct Kinds<'a> {
    kinds: Vec<Kind<'a>>,
    of_lines: Vec<Option<u32>>,
}

impl<'a> Kinds<'a> {
    /// The kinds of a text, of which so many may be worth it.
    pub(super) fn of(lines: &[&'a str], max: usize, deadline: Deadline) -> Self {
        let mut kinds: Vec<Kind<'a>> = Vec::new();
        let mut by_hash: HashMap<u64, u32> = HashMap::default();
        let mut of_lines = Vec::with_capacity(lines.len());
        for line in deadline.limit(lines) {
            of_lines.push(fields_of(line).and_then(|fields| {
                let next = u32::try_from(kinds.len()).ok()?;
                let hash = fields::hash_between(line, &fields);
                let index = *by_hash.entry(hash).or_insert(next);
                match kinds.get_mut(index as usize) {
                    Some(kind) => kind.add(line, &fields).then_some(index),
                    None => {
                        kinds.push(Kind::new(line, fields));
                        Some(index)
                    }
                }
            }));
        }
        let mut worth = 0;
        for kind in &mut kinds {
            kind.compare();
            kind.is_worth = worth < max && kind.saves_enough();
            worth += usize::from(kind.is_worth);
        }
        Self { kinds, of_lines }
    }

    /// The kind of a line, with its index, if it has one that is worth it.
    pub(super) fn kind_of(&self, line: usize) -> Option<(u32, &Kind<'a>)> {
        let index = (*self.of_lines.get(line)?)?;
        let kind = self.kinds.get(index as usize)?;
        kind.is_worth.then_some((index, kind))
    }

    /// Whether a line has others of its kind, worth it or not.
    pub(super) fn has_others(&self, line: usize) -> bool {
        let index = self.of_lines.get(line).copied().flatten();
        let kind = index.and_then(|index| self.kinds.get(index as usize));
        kind.is_some_and(|kind| kind.count > 1)
    }
}

fn fields_of(line: &str) -> Option<Vec<Range<usize>>> {
    let fits = (MIN_SHARED_BYTES..=MAX_LINE_BYTES).contains(&line.len())
        && !line.starts_with(OPENING)
        && !has_marks(line)
        && !is_frame(line);
    if fits { fields::of(line) } else { None }
}

/// Whether what stands around a field's value stands in a line already.
fn has_marks(line: &str) -> bool {
    // Most lines lack the first byte of both, and looking for one byte is fast.
    memchr(FIRST_OF_MARK, line.as_bytes()).is_some() && line.contains([OPEN, CLOSE])
}

/// Whether a line is one of a stack trace.
fn is_frame(line: &str) -> bool {
    let line = line.trim_start();
    let numbered = |line: &str| line.starts_with(|c: char| c.is_ascii_digit());
    line.starts_with("at ")
        || line.starts_with("File \"")
        || line.strip_prefix('#').is_some_and(numbered)
}

impl<'a> Kind<'a> {
    fn new(first: &'a str, fields: Vec<Range<usize>>) -> Self {
        Self {
            first,
            fields,
            common: Vec::new(),
            count: 1,
            differing: Vec::new(),
            is_worth: false,
        }
    }

    /// Takes in a line, if it is of this kind.
    fn add(&mut self, line: &str, fields: &[Range<usize>]) -> bool {
        let same = self.fields.len() == fields.len()
            && fields::between(self.first, &self.fields).eq(fields::between(line, fields));
        if !same {
            return false;
        }
        let firsts = self.fields.iter().map(|field| &self.first[field.clone()]);
        if self.common.is_empty() {
            self.common = firsts.clone().map(Common::of).collect();
        }
        for ((common, first), field) in self.common.iter_mut().zip(firsts).zip(fields) {
            common.add(first, &line[field.clone()]);
        }
        self.count += 1;
        true
    }

    /// Sets where values differ, when all lines are in.
    fn compare(&mut self) {
        let values = self.fields.iter().map(|field| &self.first[field.clone()]);
        let pairs = self.common.iter().zip(values);
        self.differing = pairs
            .map(|(common, value)| common.differing(value))
            .collect();
    }

    fn saves_enough(&self) -> bool {
        let differing = self.differing.iter().flatten();
        let (fields, bytes) =
            differing.fold((0, 0), |(n, bytes), range| (n + 1, bytes + range.len()));
        let shared = self.first.len() - bytes;
        let gain = (self.count - 1) * shared.saturating_sub(2 + fields);
        self.count > 1
            && shared >= MIN_SHARED_BYTES + fields
            && gain >= MIN_GAIN_BYTES + NAMING_BYTES + FIELD_BYTES * fields
            && !FAILURES.iter().any(|word| self.first.contains(word))
    }

    /// Whether the fields have numbers, and only those are said that differ from the kind's line above.
    pub(super) fn is_numbered(&self) -> bool {
        self.differing.iter().flatten().count() > MAX_UNNUMBERED
    }

    /// Writes the first line, its differing values marked.
    pub(super) fn write_first(&self, body: &mut String) {
        let (line, numbered) = (self.first, self.is_numbered());
        let (mut at, mut number) = (0, 0);
        for (field, differing) in self.fields.iter().zip(&self.differing) {
            let Some(range) = differing else {
                continue;
            };
            let (start, end) = (field.start + range.start, field.start + range.end);
            number += 1;
            body.push_str(&line[at..start]);
            body.push(OPEN);
            if numbered {
                // Writing to a `String` cannot fail.
                let _ = write!(body, "{number}=");
            }
            body.push_str(&line[start..end]);
            body.push(CLOSE);
            at = end;
        }
        body.push_str(&line[at..]);
    }

    /// Writes the values of a line that comes after `above`, each behind a space.
    pub(super) fn write_values(&self, above: &str, line: &str, body: &mut String) -> Option<()> {
        if !self.is_numbered() {
            for value in self.values(line)? {
                body.extend([" ", value?]);
            }
            return Some(());
        }
        for (index, (above, value)) in self.values(above)?.zip(self.values(line)?).enumerate() {
            let (above, value) = (above?, value?);
            if above != value {
                // Writing to a `String` cannot fail.
                let _ = write!(body, " {}={value}", index + 1);
            }
        }
        Some(())
    }

    /// What a line of this kind has where they differ.
    fn values<'l>(&self, line: &'l str) -> Option<impl Iterator<Item = Option<&'l str>>> {
        let fields = self
            .fields
            .iter()
            .zip(fields::of(line)?)
            .zip(&self.differing);
        Some(fields.filter_map(move |((first, field), differing)| {
            let range = differing.as_ref()?;
            let end = field.end.checked_sub(first.len() - range.end);
            Some(end.and_then(|end| line.get(field.start + range.start..end)))
        }))
    }
}
