//! Tells what may differ in lines of one kind: words with digits.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::fast::FixedState;

/// The most fields that a line may have.
const MAX_FIELDS: usize = 256;

/// The fields of a line; `None` where there are too many.
pub(super) fn of(line: &str) -> Option<Vec<Range<usize>>> {
    let bytes = line.as_bytes();
    let mut fields = Vec::new();
    let mut at = 0;
    // What says that the time is that of the line above stands where other lines have a time.
    if line.starts_with("\" ") {
        fields.push(0..1);
        at = 1;
    }
    while at < bytes.len() {
        let (start, mut classes) = (at, 0);
        while let Some(byte) = bytes.get(at)
            && CLASSES[usize::from(*byte)] != OTHER
        {
            classes |= CLASSES[usize::from(*byte)];
            at += 1;
        }
        if classes & DIGIT != 0 {
            if fields.len() == MAX_FIELDS {
                return None;
            }
            fields.push(start..at);
        }
        // Past what ends the word.
        at += 1;
    }
    Some(fields)
}

/// Classes of bytes: those that end a word, those of words, and digits among these.
const OTHER: u8 = 0;
const OF_WORD: u8 = 1;
const DIGIT: u8 = 2;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < classes.len() {
        classes[byte] = class(byte as u8);
        byte += 1;
    }
    classes
}

/// A word goes on over what joins the parts of a number, a time, a name or a path.
const fn class(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => DIGIT,
        b'a'..=b'z' | b'A'..=b'Z' => OF_WORD,
        b'.' | b',' | b':' | b'-' | b'_' | b'/' | b'+' | b'@' | b'%' => OF_WORD,
        _ => OTHER,
    }
}

/// What a line says besides its fields: each part, the one behind the last field last.
pub(super) fn between<'a>(line: &'a str, fields: &[Range<usize>]) -> impl Iterator<Item = &'a str> {
    let starts = fields.iter().map(|field| field.end);
    let ends = fields.iter().map(|field| field.start).chain([line.len()]);
    [0].into_iter()
        .chain(starts)
        .zip(ends)
        .map(|(start, end)| &line[start..end])
}

/// The same for lines of one kind.
pub(super) fn hash_between(line: &str, fields: &[Range<usize>]) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    for part in between(line, fields) {
        hasher.write(part.as_bytes());
        hasher.write_u8(0);
    }
    hasher.finish()
}

/// What the values of one field have in common, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Common {
    prefix: usize,
    suffix: usize,
    shortest: usize,
    equal: bool,
}

impl Common {
    /// That of one value.
    pub(super) fn of(value: &str) -> Self {
        Self {
            prefix: value.len(),
            suffix: value.len(),
            shortest: value.len(),
            equal: true,
        }
    }

    /// Takes in one more value.
    pub(super) fn add(&mut self, first: &str, value: &str) {
        if self.equal && first == value {
            return;
        }
        self.equal = false;
        self.shortest = self.shortest.min(value.len());
        let same = |(a, b): &(u8, u8)| a == b;
        let ahead = first.bytes().zip(value.bytes()).take(self.prefix);
        self.prefix = ahead.take_while(same).count();
        let back = first
            .bytes()
            .rev()
            .zip(value.bytes().rev())
            .take(self.suffix);
        self.suffix = back.take_while(same).count();
    }

    /// The part of the first value that differs in others, in whole words; the rest is the same in all. `None` where nothing differs.
    pub(super) fn differing(self, first: &str) -> Option<Range<usize>> {
        if self.equal {
            return None;
        }
        let apart = |byte: &u8| !byte.is_ascii_alphanumeric();
        let bytes = first.as_bytes();
        let prefix = self.prefix.min(self.shortest);
        let prefix = bytes[..prefix]
            .iter()
            .rposition(apart)
            .map_or(0, |at| at + 1);
        let suffix = self.suffix.min(self.shortest - prefix);
        let end = &bytes[bytes.len() - suffix..];
        let suffix = end.iter().position(apart).map_or(0, |at| suffix - at);
        Some(prefix..bytes.len() - suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_digits_are_fields() {
        let line = "\" INFO [test-4] took 10.5 ms (a.b)";
        let fields = of(line).unwrap();
        let values: Vec<&str> = fields.iter().map(|field| &line[field.clone()]).collect();
        assert_eq!(values, ["\"", "test-4", "10.5"]);
        let parts: Vec<&str> = between(line, &fields).collect();
        assert_eq!(parts, ["", " INFO [", "] took ", " ms (a.b)"]);
        assert_eq!(of(&"1 ".repeat(257)), None);
    }

    #[test]
    fn what_differs_is_whole_words() {
        let differing = |values: &[&str]| {
            let mut common = Common::of(values[0]);
            for value in &values[1..] {
                common.add(values[0], value);
            }
            common
                .differing(values[0])
                .map(|range| values[0][range].to_owned())
        };
        assert_eq!(differing(&["a-1", "a-1"]), None);
        assert_eq!(
            differing(&["/a/00123.index", "/a/00124.index"]).unwrap(),
            "00123"
        );
        assert_eq!(differing(&["a-1-", "a-1-1-"]).unwrap(), "");
        assert_eq!(differing(&["12:30:01", "12:31:01"]).unwrap(), "30");
    }
}
