//! Removes the line numbers of file reads; the header keeps the first one.
//!
//! Where the numbers do not follow each other, a line `[line N]` gives the number of the next line, and `[unnumbered]` says that the
//! following lines have none.

use std::fmt::Write;

use super::text::Text;
use super::{Compressor, Context, Earlier, each_line, with_header};

/// Separators between number and text: Claude Code's arrow; `cat -n`, `nl`; `grep -n`; test runners' code frames.
const SEPARATORS: [&str; 5] = ["→", "\t", ":", " |", "|"];

/// No tool pads its numbers further.
const MAX_WIDTH: usize = 20;

const UNNUMBERED: &str = "[unnumbered]";

pub(super) struct LineNumbers;

impl Compressor for LineNumbers {
    fn compress(&self, text: &Text<'_>, _: Context<'_>) -> Option<String> {
        text.stripped().map(|stripped| stripped.text.clone())
    }

    fn expand(&self, header: &str, body: &str, _: &Earlier) -> Option<String> {
        let (style, first) = read_header(header)?;
        let mut text = String::with_capacity(body.len() * 5 / 4);
        let mut next = Some(first);
        for line in each_line(body) {
            if line == UNNUMBERED {
                next = None;
            } else if let Some(number) = read_marker(line) {
                next = Some(number);
            } else {
                if let Some(number) = &mut next {
                    style.write(&mut text, *number);
                    *number = number.checked_add(1)?;
                }
                text.push_str(line);
                text.push('\n');
            }
        }
        text.pop();
        Some(text)
    }
}

/// A text without its line numbers.
#[derive(Debug)]
pub(super) struct Stripped {
    /// The text with its header.
    pub(super) text: String,
    /// The number of the line after the header; `None` if that line had none.
    pub(super) first: Option<u64>,
    /// How many numbers were taken off.
    pub(super) numbers: usize,
    /// Whether they were padded.
    pub(super) padded: bool,
    /// How many marks were put in.
    pub(super) marks: usize,
}

/// Takes the line numbers off, if the text of these lines has any.
pub(super) fn strip(lines: &[&str]) -> Option<Stripped> {
    let (style, first) = lines.iter().copied().find_map(Style::of)?;
    let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
    let mut body = String::with_capacity(bytes);
    let mut next = Some(first);
    let (mut numbers, mut marks) = (0, 0);
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
        numbers += usize::from(number.is_some());
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
        marks,
    })
}

/// A number before a line, with what sets it apart from the text.
pub(super) struct Number {
    pub(super) bytes: usize,
    pub(super) padded: bool,
}

/// The number before a line, if there is one in any style.
pub(super) fn number(line: &str) -> Option<Number> {
    let (style, _) = Style::of(line)?;
    let (_, rest) = style.read(line)?;
    Some(Number {
        bytes: line.len() - rest.len(),
        padded: style.width > 0,
    })
}

/// How a number is written: right-aligned to `width` bytes, then a separator.
#[derive(Clone, Copy)]
struct Style {
    width: usize,
    separator: &'static str,
}

impl Style {
    /// The style and number of a numbered line.
    fn of(line: &str) -> Option<(Self, u64)> {
        let padding = padding(line);
        let (digits, rest) = split_digits(&line[padding..])?;
        let separator = SEPARATORS.into_iter().find(|s| rest.starts_with(s))?;
        let width = if padding == 0 {
            0
        } else {
            padding + digits.len()
        };
        let style = Self { width, separator };
        let (number, _) = style.read(line)?;
        (width <= MAX_WIDTH).then_some((style, number))
    }

    /// The number of a line and the text after it, if it is written in just this style.
    fn read(self, line: &str) -> Option<(u64, &str)> {
        let padding = padding(line);
        let (digits, rest) = split_digits(&line[padding..])?;
        let aligned = padding == self.width.saturating_sub(digits.len());
        let canonical = digits == "0" || !digits.starts_with('0');
        if !aligned || !canonical {
            return None;
        }
        Some((digits.parse().ok()?, rest.strip_prefix(self.separator)?))
    }

    fn write(self, text: &mut String, number: u64) {
        let Self { width, separator } = self;
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{number:width$}{separator}");
    }
}

/// How many spaces a line begins with.
fn padding(line: &str) -> usize {
    line.bytes().take_while(|byte| *byte == b' ').count()
}

fn split_digits(text: &str) -> Option<(&str, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then(|| text.split_at(digits))
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

fn read_header(header: &str) -> Option<(Style, u64)> {
    let rest = header.strip_prefix(REMOVED)?;
    let rest = rest.strip_suffix(MARKS).unwrap_or(rest);
    Style::of(rest.strip_suffix(ON)?)
}

/// Whether a line is one that [`LineNumbers`] puts in where the count breaks off.
pub(super) fn is_mark(line: &str) -> bool {
    is_unnumbered(line) || read_marker(line).is_some()
}

/// Whether it is the one that says that the following lines have no number.
pub(super) fn is_unnumbered(line: &str) -> bool {
    line == UNNUMBERED
}

fn read_marker(line: &str) -> Option<u64> {
    line.strip_prefix("[line ")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::testing::round_trip;

    #[test]
    fn the_first_number_is_enough() {
        let form = round_trip(&LineNumbers, "   251→a\n   252→\n   253→\tb").unwrap();
        assert_eq!(
            form,
            "[headroom: line numbers removed, from \"   251→\" on]\na\n\n\tb"
        );
    }

    #[test]
    fn breaks_in_the_count_are_marked() {
        let form = round_trip(&LineNumbers, "     9\ta\n    10\tb\n\nnote\n    12\tc\n").unwrap();
        assert!(form.ends_with("]\na\nb\n[unnumbered]\n\nnote\n[line 12]\nc\n[unnumbered]\n"));
    }

    #[test]
    fn every_style_comes_back() {
        for text in [
            "9: a\n10: b\n11:",
            " 98 | x\n 99 | y\n100 | z\n",
            "1|x\r\n2|y\r\n",
            "     7\tx\n999999\ty\n1000000\tz",
            "007→x\n008→y\n  9→z",
            "18446744073709551614:a\n18446744073709551616:b",
            "     0→x",
        ] {
            round_trip(&LineNumbers, text).unwrap_or_else(|| panic!("{text:?} has numbers"));
        }
    }

    #[test]
    fn a_text_that_holds_our_marks_is_left_alone() {
        assert_eq!(round_trip(&LineNumbers, "1:[line 7]\n2:x"), None);
        assert_eq!(round_trip(&LineNumbers, "1:x\n[unnumbered]"), None);
        assert_eq!(round_trip(&LineNumbers, "no numbers"), None);
    }
}
