//! A few lines before records or behind them: a line of prose before JSON or before the numbered lines of a file, a count behind JSON.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::Deserializer;

use super::Wrapper;
use crate::compress::line_numbers::strip;

/// The most lines that stand before the records, or behind them.
const MAX_LINES: usize = 8;

pub(super) struct Prelude;

impl Wrapper for Prelude {
    fn inside(&self, text: &str) -> Option<Range<usize>> {
        let mut start = 0;
        for line in text.split_inclusive('\n').take(MAX_LINES + 1) {
            if start * 2 > text.len() {
                break;
            }
            if strip::number(line).is_some() {
                return (start > 0).then_some(start..text.len());
            }
            if line.starts_with(['{', '['])
                && let Some(len) = values_len(&text[start..])
            {
                return is_most(start..start + len, text);
            }
            start += line.len();
        }
        None
    }
}

/// This JSON, if it is most of the text and there are lines around it, but few behind it.
fn is_most(found: Range<usize>, text: &str) -> Option<Range<usize>> {
    let (before, behind) = (&text[..found.start], &text[found.end..]);
    let has_others = !before.trim().is_empty() || !behind.trim().is_empty();
    let few_behind = behind.matches('\n').count() <= MAX_LINES;
    (has_others && few_behind && found.len() * 2 > text.len()).then_some(found)
}

/// Bytes of the objects and arrays that a text begins with, as far as each ends its line.
fn values_len(text: &str) -> Option<usize> {
    let mut values = Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut len = 0;
    while text[len..].trim_start().starts_with(['{', '[']) {
        if values.next().is_none_or(|value| value.is_err()) {
            break;
        }
        let end = values.byte_offset();
        if !text[end..]
            .trim_start_matches([' ', '\t', '\r'])
            .starts_with('\n')
            && end < text.len()
        {
            break;
        }
        len = end;
    }
    (len > 0).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        Prelude.inside(text).map(|found| &text[found])
    }

    #[test]
    fn lines_around_json_are_set_apart() {
        let json = "{\"a\": \"some words\"}\n{\"a\": [\n2]}";
        for (before, after) in [
            ("Exit code 1\n", ""),
            ("", "\nexit code 0"),
            ("2 rows:\n\n", "\n\n(2 rows)\n"),
            ("[info] two\n", "\n"),
        ] {
            let text = format!("{before}{json}{after}");
            assert_eq!(found(&text), Some(json), "{text:?}");
        }
    }

    #[test]
    fn a_line_before_numbered_lines_is_set_apart() {
        let file = "     1\tuse a;\n     2\t\nnote\n";
        assert_eq!(found(&format!("This is a.rs:\n{file}")), Some(file));
        assert_eq!(found(file), None);
    }

    #[test]
    fn json_alone_and_other_texts_are_left_alone() {
        for text in [
            "",
            "{\"a\": 1}",
            "\n[1]\n",
            "[1]\n\n[2]\n",
            "[1] and more\n",
            "a {\"a\": 1}\n",
            "[1]\n2 and much more text than the array",
            "x\nx\nx\nx\nx\nx\nx\nx\nx\n[1000000000000000000000000]",
            "[[[[[[[[[[[[",
        ] {
            assert_eq!(found(text), None, "{text:?}");
        }
    }
}
