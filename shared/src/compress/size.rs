//! The estimated cost of a text in tokens.
//!
//! Providers bill tokens, so forms are compared by an estimate of those ([`tokens`](super::tokens)). A number before each line costs more
//! than `o200k_base` makes of it: 2.4 tokens a line as `12→`, 3.9 where it is padded with spaces, as `    12→` (measured on source read by
//! agents, with the tokenizer of Claude's newest models). So the number that is written in one digit counts as much as one in four.

use std::ops::RangeInclusive;

use super::line_numbers::strip::{Stripped, is_mark, number};
use super::lines::Breaks;
use super::tokens::{Estimates, LANES, Tokens};

/// What an unpadded number before a line costs.
const UNPADDED_NUMBER: Tokens = Tokens::thousandths(2_400);

/// What a padded one costs.
const PADDED_NUMBER: Tokens = Tokens::thousandths(3_900);

/// What a line such as `[line 12]` costs: each of its signs, the word, the number and the line break.
const MARK: Tokens = Tokens::whole(6);

/// What the break at a line's end costs: it is often part of the token before it.
pub(super) const LINE_BREAK: Tokens = Tokens::thousandths(500);

/// Lines are estimated together until they have so many bytes: for fewer, starting costs more than estimating. Towards the end of a text they
/// become fewer, so that at the end little is left in each lane.
const TOGETHER_BYTES: RangeInclusive<usize> = 64..=256;

/// What a text costs: an estimate by which forms are compared, not a count.
pub(super) fn cost(text: &str) -> Tokens {
    let mut estimates = Estimates::default();
    let mut set_apart = Tokens::default();
    let (mut start, mut line_start) = (0, 0);
    for line_end in Breaks::of(text).map(|at| at + 1).chain([text.len()]) {
        if let Some((bytes, cost)) = apart(&text[line_start..line_end]) {
            estimates.add(&text[start..line_start]);
            start = line_start + bytes;
            set_apart = set_apart + cost;
        } else if line_end - start >= together(text.len() - start) {
            estimates.add(&text[start..line_end]);
            start = line_end;
        }
        line_start = line_end;
    }
    estimates.add(&text[start..]);
    estimates.sum() + set_apart
}

/// What a text costs with something before and after it, given what it does alone.
pub(super) fn cost_around(before: &str, (text, alone): (&str, Tokens), after: &str) -> Tokens {
    let (lines, joined) = cost_of_ends(before, text, after);
    (alone + joined).saturating_sub(lines)
}

/// What a text costs alone, given what it does with something before and after it.
pub(super) fn cost_within(before: &str, (text, around): (&str, Tokens), after: &str) -> Tokens {
    let (lines, joined) = cost_of_ends(before, text, after);
    (around + lines).saturating_sub(joined)
}

/// What the first and the last line of a text cost, and what they do with what is before and after it. All lines between cost the same in both.
fn cost_of_ends(before: &str, text: &str, after: &str) -> (Tokens, Tokens) {
    let Some(first_break) = text.find('\n') else {
        return (cost(text), cost(&[before, text, after].concat()));
    };
    let (first, rest) = text.split_at(first_break + 1);
    let last = rest.rsplit('\n').next().unwrap_or_default();
    let joined = cost(&[before, first].concat()) + cost(&[last, after].concat());
    (cost(first) + cost(last), joined)
}

/// How many bytes are estimated together where so many are left.
fn together(left: usize) -> usize {
    (left / (2 * LANES)).clamp(*TOGETHER_BYTES.start(), *TOGETHER_BYTES.end())
}

/// The number that a line begins with, or the mark that it is: its bytes, and what it costs.
fn apart(line: &str) -> Option<(usize, Tokens)> {
    // Most lines begin otherwise.
    if !matches!(line.as_bytes().first(), Some(b' ' | b'[' | b'0'..=b'9')) {
        return None;
    }
    match number(line) {
        Some(number) if number.padded => Some((number.bytes, PADDED_NUMBER)),
        Some(number) => Some((number.bytes, UNPADDED_NUMBER)),
        None if is_mark(line.strip_suffix('\n').unwrap_or(line)) => Some((line.len(), MARK)),
        None => None,
    }
}

/// What a text costs without its line numbers, given what it costs with them: the lines cost the same, but for their numbers.
pub(super) fn cost_without_numbers(stripped: &Stripped, with_numbers: Tokens) -> Tokens {
    if stripped.has_second_numbers {
        return cost(&stripped.text);
    }
    let without_padding = stripped.numbers - stripped.with_padding;
    let numbers = PADDED_NUMBER * stripped.with_padding + UNPADDED_NUMBER * without_padding;
    let header = stripped.text.find('\n').map_or(0, |at| at + 1);
    let added = cost(&stripped.text[..header]) + MARK * stripped.marks;
    with_numbers.saturating_sub(numbers) + added
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::line_numbers::strip::strip;
    use crate::compress::lines::lines;
    use crate::compress::tokens::estimate;

    #[test]
    fn a_number_costs_the_same_in_one_digit_and_in_four() {
        let with = |number: Tokens| number + cost("let x;");
        assert_eq!(cost("1\tlet x;"), with(UNPADDED_NUMBER));
        assert_eq!(cost("1234→let x;"), with(UNPADDED_NUMBER));
        assert_eq!(cost("     1→let x;"), with(PADDED_NUMBER));
        assert_eq!(cost("  1234\tlet x;"), with(PADDED_NUMBER));
        assert_eq!(cost("12 let x;"), estimate("12 let x;"));
    }

    #[test]
    fn a_text_costs_the_same_however_it_is_found_out_from_what_is_around_it() {
        for text in [
            "",
            "a",
            "  12",
            "a\n",
            "\n",
            "1→a\n2→b",
            "one\n\n3\ttwo\nthree ",
        ] {
            for before in ["", "b", "\n", "  7→", "some\nlines\n", "[line "] {
                for after in ["", "a", "\n", "4]", "\t8→\n", "\nsome\nlines"] {
                    let whole = cost(&[before, text, after].concat());
                    assert_eq!(cost_around(before, (text, cost(text)), after), whole);
                    assert_eq!(cost_within(before, (text, whole), after), cost(text));
                }
            }
        }
    }

    #[test]
    fn a_text_without_numbers_costs_the_same_however_it_is_found_out() {
        for text in [
            "1\tlet x;\n2\tlet y;\n3\t",
            "    99→fn a() {\n   100→    b()\n   101→}\n\nreminder\n     7: of something",
            " 9|a\n10|b\n12|c\n",
            "     1→     1→a\n     2→b",
            "     1→1:a\n     2→b",
            "     9→\ta b\n    10→ 12 c\n999999→d\nx\n     1→[line 4\n",
        ] {
            let stripped = strip(&lines(text)).unwrap();
            let cost_of_text = cost(&stripped.text);
            assert_eq!(
                cost_without_numbers(&stripped, cost(text)),
                cost_of_text,
                "{text}"
            );
        }
    }
}
