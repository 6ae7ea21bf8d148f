//! Takes the number off each line.

use std::fmt::Write;

use crate::compress::{has_header, with_header};

/// Separators between number and text: Claude Code's arrow; `cat -n`, `nl`; `grep -n`; test runners' code frames.
const SEPARATORS: [&str; 5] = ["→", "\t", ":", " |", "|"];

/// No tool pads its numbers further.
const MAX_WIDTH: usize = 20;

const PADDING: &str = match str::from_utf8(&[b' '; MAX_WIDTH]) {
    Ok(padding) => padding,
    Err(_) => "",
};

const UNNUMBERED: &str = "[unnumbered]";

/// A text without its line numbers.
#[derive(Debug)]
pub(in crate::compress) struct Stripped {
    /// The text with its header.
    pub(in crate::compress) text: String,
    /// The number of the line after the header; `None` if that line had none.
    pub(in crate::compress) first: Option<u64>,
    /// How many numbers were taken off.
    pub(in crate::compress) numbers: usize,
    /// Whether they were padded.
    pub(in crate::compress) padded: bool,
    /// Of how many numbers there was padding before them: none is before those as wide as the others with theirs.
    pub(in crate::compress) with_padding: usize,
    /// Whether what stands behind a number begins like one.
    pub(in crate::compress) has_second_numbers: bool,
    /// How many marks were put in.
    pub(in crate::compress) marks: usize,
}

/// Takes the line numbers off, if the text of these lines has any.
pub(in crate::compress) fn strip(lines: &[&str]) -> Option<Stripped> {
    let (style, first) = lines.iter().copied().find_map(Style::of)?;
    let first = first.value;
    let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
    let mut body = String::with_capacity(bytes);
    let mut next = Some(first);
    let (mut numbers, mut marks) = (0, 0);
    let (mut with_padding, mut has_second_numbers) = (0, false);
    for &line in lines {
        let (number, rest) = match style.read(line) {
            Some((number, rest)) => (Some(number), rest),
            None => (None, line),
        };
        if number != next {
            match number {
                Some(number) => writeln!(body, "[line {number}]").ok()?,
                None => writeln!(body, "{UNNUMBERED}").ok()?,
            }
            marks += 1;
        }
        if number.is_some() {
            numbers += 1;
            with_padding += usize::from(line.starts_with(' '));
            has_second_numbers |= self::number(rest).is_some();
        }
        if is_mark(rest) {
            return None;
        }
        body.push_str(rest);
        body.push('\n');
        next = match number {
            Some(n) => Some(n.checked_add(1)?),
            None => None,
        };
    }
    body.pop();
    let starts_numbered = lines.first().and_then(|line| style.read(line));
    Some(Stripped {
        text: with_header(&header(style, first, marks > 0), &body),
        first: starts_numbered.map(|(number, _)| number),
        numbers,
        padded: style.width > 0,
        with_padding,
        has_second_numbers,
        marks,
    })
}

/// A number before a line, with what sets it apart from the text.
pub(in crate::compress) struct Number {
    pub(in crate::compress) bytes: usize,
    pub(in crate::compress) padded: bool,
}

/// The number before a line, if there is one in any style.
pub(in crate::compress) fn number(line: &str) -> Option<Number> {
    let (style, digits) = Style::of(line)?;
    Some(Number {
        bytes: style.width.max(digits.len) + style.separator.len(),
        padded: style.width > 0,
    })
}

/// How a number is written: right-aligned to `width` bytes, then a separator.
#[derive(Clone, Copy)]
pub(super) struct Style {
    width: usize,
    separator: &'static str,
}

impl Style {
    /// The style and the number of a numbered line.
    fn of(line: &str) -> Option<(Self, Digits)> {
        let padding = padding(line);
        let digits = Digits::of(&line[padding..])?;
        let rest = &line[padding + digits.len..];
        let separator = SEPARATORS.into_iter().find(|s| rest.starts_with(s))?;
        let width = if padding == 0 {
            0
        } else {
            padding + digits.len
        };
        let style = Self { width, separator };
        (width <= MAX_WIDTH).then_some((style, digits))
    }

    /// The number of a line and the text after it, if it is written in just this style.
    fn read(self, line: &str) -> Option<(u64, &str)> {
        let padding = padding(line);
        let digits = Digits::of(&line[padding..])?;
        let is_aligned = padding == self.width.saturating_sub(digits.len);
        let rest = &line[padding + digits.len..];
        let rest = rest.strip_prefix(self.separator)?;
        is_aligned.then_some((digits.value, rest))
    }

    pub(super) fn write(self, text: &mut String, number: u64) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(number);
        let padding = self.width.saturating_sub(digits.len());
        text.extend([&PADDING[..padding], digits, self.separator]);
    }
}

/// How many spaces a line begins with.
fn padding(line: &str) -> usize {
    line.bytes().take_while(|byte| *byte == b' ').count()
}

/// A number in digits, as programs write it.
struct Digits {
    value: u64,
    len: usize,
}

impl Digits {
    /// The digits that a text begins with; `None` if there are none, and where the first of several is 0.
    fn of(text: &str) -> Option<Self> {
        let (mut value, mut len) = (0_u64, 0);
        let digits = text.bytes().take_while(u8::is_ascii_digit);
        for digit in digits.map(|byte| byte - b'0') {
            value = value.checked_mul(10)?.checked_add(digit.into())?;
            len += 1;
        }
        let is_canonical = len == 1 || !text.starts_with('0');
        (len > 0 && is_canonical).then_some(Self { value, len })
    }
}

fn header(style: Style, first: u64, has_marks: bool) -> String {
    let mut sample = String::new();
    style.write(&mut sample, first);
    let marks = if has_marks { MARKS } else { "" };
    format!("{REMOVED}{sample}{ON}{marks}")
}

const REMOVED: &str = "line numbers removed, from \"";

const ON: &str = "\" on";

const MARKS: &str = "; \"[line N]\": they go on at N; \"[unnumbered]\": without numbers";

/// Whether a line is the header of a text without its line numbers.
pub(in crate::compress) fn is_header(line: &str) -> bool {
    has_header(line, REMOVED)
}

/// How numbers are written, and the first one.
pub(super) fn read_header(header: &str) -> Option<(Style, u64)> {
    let rest = header.strip_prefix(REMOVED)?;
    let rest = rest.strip_suffix(MARKS).unwrap_or(rest);
    let (style, first) = Style::of(rest.strip_suffix(ON)?)?;
    Some((style, first.value))
}

/// Whether a line is one that [`strip`] puts in where the count breaks off.
pub(in crate::compress) fn is_mark(line: &str) -> bool {
    is_unnumbered(line) || read_marker(line).is_some()
}

/// Whether it is the one that says that the following lines have no number.
pub(in crate::compress) fn is_unnumbered(line: &str) -> bool {
    line == UNNUMBERED
}

pub(super) fn read_marker(line: &str) -> Option<u64> {
    line.strip_prefix("[line ")?.strip_suffix(']')?.parse().ok()
}
