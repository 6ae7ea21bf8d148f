//! What a text costs, and whether a form is enough cheaper than its original.
//!
//! Providers bill tokens. Ordinary tool output makes a token of every 2.85 bytes (`model.rs`), but a number before each line costs
//! more than its bytes say: 2.4 tokens a line as `12→`, 3.9 where it is padded with spaces, as `    12→` (measured on source read by
//! agents, with the tokenizer of Claude's newest models). So the number that is written in one digit counts as much as one in four.

use super::gutter;

/// Thousandths of a token that a byte of ordinary tool output makes: 1000 / 2.85.
const BYTE: usize = 351;

/// Thousandths of a token that an unpadded number before a line makes.
const UNPADDED_NUMBER: usize = 2_400;

/// Thousandths of a token that a padded one makes.
const PADDED_NUMBER: usize = 3_900;

/// Thousandths of a token that a line such as `[line 12]` makes: each of its signs, the word, the number and the line break.
const MARK: usize = 6_000;

/// The least that a form must save, in bytes of ordinary text.
pub(super) const MIN_SAVED_BYTES: usize = 100;

/// The least that a form must save, as a share of what its original costs.
const MIN_SAVED_PERCENT: usize = 4;

/// What a text costs, in thousandths of a token: an estimate by which forms are compared, not a count.
pub(super) fn cost(text: &str) -> usize {
    let numbered = |line: &str| match gutter::number(line) {
        Some(number) if number.padded => (number.bytes, PADDED_NUMBER),
        Some(number) => (number.bytes, UNPADDED_NUMBER),
        None if gutter::is_mark(line) => (line.len(), MARK),
        None => (0, 0),
    };
    let (bytes, numbers) = text
        .split('\n')
        .map(numbered)
        .fold((0, 0), |sum, line| (sum.0 + line.0, sum.1 + line.1));
    (text.len() - bytes) * BYTE + numbers
}

/// Whether a text is cheaper without its line numbers.
pub(super) fn is_numbered(text: &str) -> bool {
    gutter::strip(text).is_some_and(|stripped| cost(&stripped.text) < cost(text))
}

/// Whether a form is so much cheaper than its original, and no more bytes within a JSON string, that it is worth being sent.
pub(super) fn is_worth(text: &str, form: &str) -> bool {
    let (before, after) = (cost(text), cost(form));
    let enough = before / 100 * MIN_SAVED_PERCENT;
    after + enough.max(MIN_SAVED_BYTES * BYTE) <= before && escaped_len(form) < escaped_len(text)
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
        assert!(is_worth(&text(5000), &text(4800)));
        assert!(!is_worth(&text(5000), &text(4801)));
        assert!(is_worth(&text(400), &text(300)));
        assert!(!is_worth(&text(400), &text(301)));
    }

    #[test]
    fn a_form_may_not_make_the_body_longer() {
        assert!(!is_worth(&"x".repeat(2000), &"\t".repeat(1500)));
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
