//! The estimated cost of a text in tokens, and whether a form is enough cheaper than its original.
//!
//! Providers bill tokens, so forms are compared by an estimate of those ([`tokens`](super::tokens)). A number before each line costs more
//! than `o200k_base` makes of it: 2.4 tokens a line as `12→`, 3.9 where it is padded with spaces, as `    12→` (measured on source read by
//! agents, with the tokenizer of Claude's newest models). So the number that is written in one digit counts as much as one in four.

use memchr::memchr_iter;

use super::line_numbers::{self, Stripped};
use super::text::Text;
use super::tokens::{Tokens, estimate_all};

/// What an unpadded number before a line costs.
const UNPADDED_NUMBER: Tokens = Tokens::thousandths(2_400);

/// What a padded one costs.
const PADDED_NUMBER: Tokens = Tokens::thousandths(3_900);

/// What a line such as `[line 12]` costs: each of its signs, the word, the number and the line break.
const MARK: Tokens = Tokens::whole(6);

/// What the break at a line's end costs: it is often part of the token before it.
pub(super) const LINE_BREAK: Tokens = Tokens::thousandths(500);

/// The least that a form must save.
const MIN_SAVED: Tokens = Tokens::whole(24);

/// The least that a form must save, as a share of what its original costs.
const MIN_SAVED_PERCENT: u64 = 4;

/// What a text costs: an estimate by which forms are compared, not a count.
pub(super) fn cost(text: &str) -> Tokens {
    let mut extra = Tokens::default();
    let rests = with_breaks(text).map(|line| {
        let (set_apart, rest) = apart(line);
        extra = extra + set_apart;
        rest
    });
    let rests = estimate_all(rests);
    extra + rests
}

/// The lines of a text, each with its break.
fn with_breaks(text: &str) -> impl Iterator<Item = &str> {
    let ends = memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
    let mut start = 0;
    ends.chain([text.len()]).map(move |end| {
        let line = &text[start..end];
        start = end;
        line
    })
}

/// What the number before a line or a mark costs, and the rest of the line.
fn apart(line: &str) -> (Tokens, &str) {
    match line_numbers::number(line) {
        Some(number) if number.padded => (PADDED_NUMBER, &line[number.bytes..]),
        Some(number) => (UNPADDED_NUMBER, &line[number.bytes..]),
        None if line_numbers::is_mark(line.trim_end_matches('\n')) => (MARK, ""),
        None => (Tokens::default(), line),
    }
}

/// Whether a text is cheaper without its line numbers.
pub(super) fn is_cheaper(stripped: &Stripped) -> bool {
    let number = match stripped.padded {
        true => PADDED_NUMBER,
        false => UNPADDED_NUMBER,
    };
    let (header, _) = stripped.text.split_once('\n').unwrap_or_default();
    cost(header) + LINE_BREAK + MARK * stripped.marks < number * stripped.numbers
}

/// What may stand for a text, and what it costs.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) text: String,
    pub(super) cost: Tokens,
}

impl Form {
    pub(super) fn new(text: String) -> Self {
        let cost = cost(&text);
        Self { text, cost }
    }

    /// Whether it is enough cheaper than its original, and shorter within a JSON string.
    pub(super) fn is_worth_sending(&self, original: &Text<'_>) -> bool {
        let min_saved = original.cost().percent(MIN_SAVED_PERCENT).max(MIN_SAVED);
        self.cost + min_saved <= original.cost()
            && escaped_len(&self.text) < escaped_len(original.whole)
    }
}

/// Bytes of the text within a JSON string, the quotes not counted.
pub(super) fn escaped_len(text: &str) -> usize {
    let lens = text.bytes().map(|byte| ESCAPED_LEN[usize::from(byte)]);
    lens.map(usize::from).sum()
}

static ESCAPED_LEN: [u8; 256] = {
    let mut lens = [1; 256];
    let mut byte = 0;
    while byte < 256 {
        lens[byte] = match byte as u8 {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
            0x00..=0x1f => 6,
            _ => 1,
        };
        byte += 1;
    }
    lens
};

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
    fn a_form_must_save_four_percent_and_24_tokens() {
        let line = "the same words, many times\n";
        let form = |lines| Form::new(line.repeat(lines));
        let is_worth = |lines, of_form| {
            let text = line.repeat(lines);
            form(of_form).is_worth_sending(&Text::new(&text))
        };
        assert!(is_worth(500, 480));
        assert!(!is_worth(500, 481));
        let fewest = (1..20).find(|lines| form(*lines).cost >= MIN_SAVED);
        assert!(is_worth(20, 20 - fewest.unwrap()));
        assert!(!is_worth(20, 21 - fewest.unwrap()));
    }

    #[test]
    fn a_form_may_not_make_the_body_longer() {
        let (text, form) = ("a b c d ".repeat(250), "\t".repeat(1500));
        assert!(cost(&form) < cost(&text));
        assert!(!Form::new(form).is_worth_sending(&Text::new(&text)));
    }

    #[test]
    fn a_number_costs_the_same_in_one_digit_and_in_four() {
        let with = |number: Tokens| number + cost("let x;");
        assert_eq!(cost("1\tlet x;"), with(UNPADDED_NUMBER));
        assert_eq!(cost("1234→let x;"), with(UNPADDED_NUMBER));
        assert_eq!(cost("     1→let x;"), with(PADDED_NUMBER));
        assert_eq!(cost("  1234\tlet x;"), with(PADDED_NUMBER));
        assert_eq!(cost("12 let x;"), estimate("12 let x;"));
    }
}
