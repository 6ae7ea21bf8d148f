//! The estimated cost of a text in tokens, and whether a form is enough cheaper than its original.
//!
//! Providers bill tokens. Ordinary tool output makes a token of every 2.85 bytes (`model.rs`), but a number before each line costs
//! more than its bytes say: 2.4 tokens a line as `12→`, 3.9 where it is padded with spaces, as `    12→` (measured on source read by
//! agents, with the tokenizer of Claude's newest models). So the number that is written in one digit counts as much as one in four.

use std::borrow::Cow;

use super::line_numbers::{self, Stripped};

/// Thousandths of a token that a byte of ordinary tool output makes: 1000 / 2.85.
const BYTE: usize = 351;

/// Thousandths of a token that an unpadded number before a line makes.
const UNPADDED_NUMBER: usize = 2_400;

/// Thousandths of a token that a padded one makes.
const PADDED_NUMBER: usize = 3_900;

/// Thousandths of a token that a line such as `[line 12]` makes: each of its signs, the word, the number and the line break.
const MARK: usize = 6_000;

/// Thousandths of a token that the break at a line's end makes.
pub(super) const LINE_BREAK: usize = BYTE;

/// The least that a form must save, in bytes of ordinary text.
pub(super) const MIN_SAVED_BYTES: usize = 100;

/// The least that a form must save, as a share of what its original costs.
const MIN_SAVED_PERCENT: usize = 4;

/// What a text costs, in thousandths of a token: an estimate by which forms are compared, not a count.
pub(super) fn cost(text: &str) -> usize {
    let numbered = |line: &str| match line_numbers::number(line) {
        Some(number) if number.padded => (number.bytes, PADDED_NUMBER),
        Some(number) => (number.bytes, UNPADDED_NUMBER),
        None if line_numbers::is_mark(line) => (line.len(), MARK),
        None => (0, 0),
    };
    let (bytes, numbers) = text
        .split('\n')
        .map(numbered)
        .fold((0, 0), |sum, line| (sum.0 + line.0, sum.1 + line.1));
    (text.len() - bytes) * BYTE + numbers
}

/// A text without its line numbers, if it is cheaper so.
pub(super) fn without_numbers(text: &str) -> Option<Stripped> {
    line_numbers::strip(text).filter(|stripped| cost(&stripped.text) < cost(text))
}

/// A text and its cost, which takes a pass over the text to compute.
#[derive(Debug)]
pub(super) struct Costed<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) cost: usize,
}

impl<'a> Costed<'a> {
    pub(super) fn new(text: impl Into<Cow<'a, str>>) -> Self {
        let text = text.into();
        let cost = cost(&text);
        Self { text, cost }
    }

    /// Whether this form is enough cheaper than its original, and shorter within a JSON string.
    pub(super) fn is_worth_sending(&self, original: &Self) -> bool {
        let min_saved = (original.cost / 100 * MIN_SAVED_PERCENT).max(MIN_SAVED_BYTES * BYTE);
        self.cost + min_saved <= original.cost
            && escaped_len(&self.text) < escaped_len(&original.text)
    }
}

/// Bytes of the text within a JSON string, the quotes not counted.
pub(super) fn escaped_len(text: &str) -> usize {
    text.bytes().map(escaped_byte_len).sum()
}

fn escaped_byte_len(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0x00..=0x1f => 6,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_escaped_length_is_that_of_the_json_string() {
        let all: String = (0..0x800).filter_map(char::from_u32).collect();
        let quoted = serde_json::Value::from(all.as_str()).to_string();
        assert_eq!(escaped_len(&all) + 2, quoted.len());
    }

    #[test]
    fn a_form_must_save_four_percent_and_a_hundred_bytes() {
        let text = |len| "x".repeat(len);
        let is_worth =
            |text: String, form: String| Costed::new(form).is_worth_sending(&Costed::new(text));
        assert!(is_worth(text(5000), text(4800)));
        assert!(!is_worth(text(5000), text(4801)));
        assert!(is_worth(text(400), text(300)));
        assert!(!is_worth(text(400), text(301)));
    }

    #[test]
    fn a_form_may_not_make_the_body_longer() {
        let (text, form) = ("x".repeat(2000), "\t".repeat(1500));
        assert!(!Costed::new(form).is_worth_sending(&Costed::new(text)));
    }

    #[test]
    fn a_number_costs_the_same_in_one_digit_and_in_four() {
        let tokens = |text: &str| cost(text) - cost("let x;");
        assert_eq!(tokens("1\tlet x;"), UNPADDED_NUMBER);
        assert_eq!(tokens("1234→let x;"), UNPADDED_NUMBER);
        assert_eq!(tokens("     1→let x;"), PADDED_NUMBER);
        assert_eq!(tokens("  1234\tlet x;"), PADDED_NUMBER);
        assert_eq!(cost("12 let x;"), 9 * BYTE);
    }
}
