//! Finds JSON among lines of another kind: a line of prose before it, an exit code behind it.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::Deserializer;

/// The most lines that stand before the JSON, or behind it.
const MAX_LINES: usize = 8;

/// Where JSON, one value or several, each on lines of its own, stands in a text, if it is most of that and there are lines around it.
pub(in crate::compress) fn json_among_lines(text: &str) -> Option<Range<usize>> {
    let mut start = 0;
    for line in text.split_inclusive('\n').take(MAX_LINES + 1) {
        if start * 2 > text.len() {
            return None;
        }
        if line.starts_with(['{', '['])
            && let Some(len) = values_len(&text[start..])
        {
            let found = start..start + len;
            let (before, behind) = (&text[..start], &text[found.end..]);
            let has_others = !before.trim().is_empty() || !behind.trim().is_empty();
            let few_behind = behind.matches('\n').count() <= MAX_LINES;
            return (has_others && few_behind && len * 2 > text.len()).then_some(found);
        }
        start += line.len();
    }
    None
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
        json_among_lines(text).map(|found| &text[found])
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
