//! Finds the time in the beginning of a line.

use memchr::{memchr, memchr_iter};

/// How far into a line its time may begin.
const MAX_START: usize = 96;

/// The most that may stand between a time and the next white space: a zone, brackets.
const MAX_AFTER: usize = 12;

/// Digits of the seconds since 1970, and of the milliseconds.
const EPOCH_DIGITS: [usize; 2] = [10, 13];

/// How many words of a line may come before seconds since 1970, and itself.
const EPOCH_WORDS: usize = 2;

/// The beginning of a line up to and with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Where the time's last digits end.
    pub(super) time_end: usize,
    /// Where the next word begins.
    pub(super) end: usize,
}

/// The time that a line begins with, perhaps behind other words. What it finds depends on the line up to [`Stamp::end`] only.
pub(super) fn find(line: &str) -> Option<Stamp> {
    find_in(line, true)
}

/// The same, where it is known whether any line [has a time of day](has_clocks).
pub(super) fn find_in(line: &str, has_clocks: bool) -> Option<Stamp> {
    // JSON is left whole.
    if line.starts_with('{') {
        return None;
    }
    let bytes = line.as_bytes();
    let time_end = match epoch_end(bytes) {
        None if has_clocks => clock_end(bytes),
        end => end,
    }?;
    let after = bytes[time_end..].iter().take(MAX_AFTER);
    let space = after
        .copied()
        .position(|byte| matches!(byte, b' ' | b'\t'))?;
    Some(Stamp {
        time_end,
        end: time_end + space + 1,
    })
}

/// Whether a text has a `12:34:56` anywhere: most have none.
pub(super) fn has_clocks(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut colons = memchr_iter(b':', bytes);
    colons.any(|colon| {
        let start = colon.checked_sub(2);
        start.is_some_and(|start| is_clock(&bytes[start..]))
    })
}

/// Where the first `12:34:56` ends, with the fraction of a second behind it.
fn clock_end(line: &[u8]) -> Option<usize> {
    let head = &line[..line.len().min(MAX_START)];
    let mut from = 0;
    loop {
        let colon = from + memchr(b':', &head[from..])?;
        if let Some(start) = colon.checked_sub(2)
            && is_clock(&line[start..])
            && !(start > 0 && line[start - 1].is_ascii_digit())
        {
            return Some(with_fraction(line, start + 8));
        }
        from = colon + 1;
    }
}

fn is_clock(bytes: &[u8]) -> bool {
    let fits = |(at, byte): (usize, &u8)| match at {
        2 | 5 => *byte == b':',
        _ => byte.is_ascii_digit(),
    };
    bytes.len() >= 8 && bytes[..8].iter().enumerate().all(fits)
}

/// Where seconds or milliseconds since 1970 end that are one of the first words.
fn epoch_end(line: &[u8]) -> Option<usize> {
    let mut start = 0;
    for _ in 0..EPOCH_WORDS {
        if line.get(start) == Some(&b'1') {
            let digits = digits(&line[start..]);
            if EPOCH_DIGITS.contains(&digits) {
                return Some(with_fraction(line, start + digits));
            }
        }
        let word = line[start..].iter().take(MAX_AFTER);
        start += word.copied().position(|byte| byte == b' ')? + 1;
    }
    None
}

fn with_fraction(line: &[u8], end: usize) -> usize {
    match line.get(end) {
        Some(b'.' | b',') => match digits(&line[end + 1..]) {
            0 => end,
            digits => end + 1 + digits,
        },
        _ => end,
    }
}

/// How many digits a text begins with; of very many only so many.
fn digits(bytes: &[u8]) -> usize {
    let digits = bytes.iter().take(MAX_START);
    digits.take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> Option<(&str, &str)> {
        let stamp = find(line)?;
        let (head, rest) = line.split_at(stamp.end);
        assert_eq!(find(head), Some(stamp));
        Some((&head[..stamp.time_end], rest))
    }

    #[test]
    fn times_of_many_layouts_are_found() {
        for (line, head) in [
            (
                "2024-01-01T00:00:00.1234567Z x",
                "2024-01-01T00:00:00.1234567",
            ),
            ("[2016-12-19 16:31:47,437] x", "[2016-12-19 16:31:47,437"),
            ("Dec  9 16:31:47 x", "Dec  9 16:31:47"),
            ("a\tb\t2024-01-01T00:00:00Z x", "a\tb\t2024-01-01T00:00:00"),
            ("- [10/Oct/2000:13:55:36 x", "- [10/Oct/2000:13:55:36"),
            ("00:00:00.000 x", "00:00:00.000"),
            ("2016-12-19T19:27:48.197+0100: x", "2016-12-19T19:27:48.197"),
            ("1697048351.000001 x", "1697048351.000001"),
            ("100 1697048351123 x", "100 1697048351123"),
        ] {
            assert_eq!(parts(line), Some((head, "x")), "{line}");
        }
    }

    #[test]
    fn other_numbers_are_no_times() {
        for line in [
            "",
            "1:2:3 x",
            "ab:cd:ef x",
            "12:34:56",
            "2697048351 x",
            "16970483510 x",
            "{\"time\": \"2024-01-01 00:00:00\", \"x\": 1}",
            "::::",
        ] {
            assert_eq!(parts(line), None, "{line}");
        }
    }
}
