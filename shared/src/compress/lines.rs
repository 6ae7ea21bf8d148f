//! The lines of a text.

use memchr::memchr_iter;

/// The lines of a text. Joined by line breaks they are the text again, so one that ends with a break has an empty last line.
pub(super) fn lines(text: &str) -> Vec<&str> {
    // A block may be a million empty lines: no growing by doubling.
    let breaks = memchr_iter(b'\n', text.as_bytes()).count();
    let mut lines = Vec::with_capacity(breaks + 1);
    lines.extend(each_line(text));
    lines
}

/// The same, one after the other.
pub(super) fn each_line(text: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    let ends = Breaks::of(text).chain([text.len()]);
    ends.map(move |end| {
        let line = &text[start..end];
        start = end + 1;
        line
    })
}

/// The bytes of a word in which line breaks are searched for.
const WORD: usize = size_of::<u64>();

/// Each byte of a word that is a line break, and all bits of its bytes but the highest.
const BREAKS: u64 = u64::from_ne_bytes([b'\n'; WORD]);
const LOW_BITS: u64 = u64::from_ne_bytes([0x7f; WORD]);

/// The places of the line breaks of a text, a word at a time: most lines are so short that searching for each end by itself costs more.
pub(super) struct Breaks<'a> {
    words: std::slice::Iter<'a, [u8; WORD]>,
    /// What is left behind the words, filled with zeros.
    rest: Option<[u8; WORD]>,
    /// Where the word begins that was read last.
    start: usize,
    /// The highest bit of each of its bytes that is a line break not given yet.
    found: u64,
}

impl<'a> Breaks<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let (words, behind) = text.as_bytes().as_chunks();
        let mut rest = [0; WORD];
        rest[..behind.len()].copy_from_slice(behind);
        Self {
            words: words.iter(),
            rest: Some(rest),
            start: 0_usize.wrapping_sub(WORD),
            found: 0,
        }
    }
}

impl Iterator for Breaks<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            let word = self.words.next().copied().or_else(|| self.rest.take())?;
            self.start = self.start.wrapping_add(WORD);
            // A byte is 0 here where it is a line break; adding to the others sets their highest bit.
            let differs = u64::from_le_bytes(word) ^ BREAKS;
            self.found = !(((differs & LOW_BITS) + LOW_BITS) | differs | LOW_BITS);
        }
        let at = self.start + self.found.trailing_zeros() as usize / 8;
        self.found &= self.found - 1;
        Some(at)
    }
}

/// Appends a line of these parts, with its break.
pub(super) fn push_line(text: &mut String, parts: &[&str]) {
    text.extend(parts.iter().copied());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_between_breaks_wherever_these_stand_in_a_word() {
        let texts = [
            "",
            "\n",
            "a",
            "é\u{b}\t\u{a0a}\u{8a}x",
            "\n\n\r\n",
            "0123456\n",
            "01234567\n",
        ];
        for text in texts {
            for start in 0..20 {
                let text = format!("{}{text}{text}", "x".repeat(start));
                assert_eq!(lines(&text), text.split('\n').collect::<Vec<_>>());
            }
        }
    }
}
