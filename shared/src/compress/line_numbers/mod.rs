//! Removes the line numbers of file reads; the header keeps the first one.
//!
//! Where the numbers do not follow each other, a line `[line N]` gives the number of the next line, and `[unnumbered]` says that the
//! following lines have none.

pub(super) mod strip;

use super::form::Form;
use super::text::Text;
use super::{Compressor, Context, Earlier, each_line, size};
use strip::{is_unnumbered, read_header, read_marker};

pub(super) struct LineNumbers;

impl Compressor for LineNumbers {
    fn form(&self, text: &Text<'_>, _: Context<'_>) -> Option<Form> {
        let stripped = text.stripped()?;
        let found = text.found_of_stripped();
        found.cost_by(|| size::cost_without_numbers(stripped, text.cost()));
        Some(Form::with(stripped.text.clone(), found))
    }

    fn expand(&self, header: &str, body: &str, _: &Earlier) -> Option<String> {
        let (style, first) = read_header(header)?;
        let mut text = String::with_capacity(body.len() * 5 / 4);
        let mut next = Some(first);
        for line in each_line(body) {
            if is_unnumbered(line) {
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
