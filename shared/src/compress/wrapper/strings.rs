//! JSON that holds an output in several strings: `{"output_head":"…","output_tail":"…"}` of mini-swe-agent, `{"stdout":"…","stderr":"…"}`.

use std::borrow::Cow;
use std::ops::Range;

use super::{Escapes, Parts, json_string};
use crate::compress::{OPENING, with_header};

const BEFORE: &str = "the long strings of this JSON were escaped";
const BYTES: &str = ", and may have headers of their own; bytes before each string and of it are ";

/// A string is long if it is one of at most this many that are as long.
const MAX_STRINGS: usize = 8;

/// A JSON text and its long strings.
#[derive(Debug)]
pub(in crate::compress) struct Strings<'a> {
    text: &'a str,
    ranges: Vec<Range<usize>>,
    /// The strings as they are read.
    pub(in crate::compress) contents: Vec<String>,
    escapes: &'static Escapes,
}

impl<'a> Strings<'a> {
    /// Finds the long strings of a JSON text that read otherwise than they are written. `None` where there are fewer than two, where they are
    /// not most of it, where they would not come back to the letter, and where one begins like a form.
    pub(in crate::compress) fn of(parts: &Parts<'a>) -> Option<Self> {
        let (text, json_bytes) = (parts.text, parts.lines.len());
        let min_bytes = (json_bytes / MAX_STRINGS).max(1);
        let is_long = |range: &&Range<usize>| range.len() >= min_bytes;
        let mut ranges: Vec<Range<usize>> = parts.strings.iter().filter(is_long).cloned().collect();
        ranges.retain(|range| text[range.clone()].contains('\\'));
        let bytes: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        if ranges.len() < 2 || bytes * 2 <= json_bytes {
            return None;
        }
        let contents = ranges
            .iter()
            .map(|range| json_string::content(text, range))
            .collect::<Option<Vec<String>>>()?;
        if contents.iter().any(|content| content.starts_with(OPENING)) {
            return None;
        }
        let literals = ranges.iter().map(|range| &text[range.clone()]);
        let escapes = Escapes::of_all(&contents, literals)?;
        Some(Self {
            text,
            ranges,
            contents,
            escapes,
        })
    }

    /// The form of the whole text, given what stands for each string: its content, or the form of that.
    pub(in crate::compress) fn with(&self, insides: &[String]) -> String {
        let (mut body, mut pairs, mut at) = (String::new(), Vec::new(), 0);
        for (range, inside) in self.ranges.iter().zip(insides) {
            body.push_str(&self.text[at..range.start]);
            body.push_str(inside);
            pairs.push(format!("{}+{}", range.start - at, inside.len()));
            at = range.end;
        }
        body.push_str(&self.text[at..]);
        let header = format!("{BEFORE}{}{BYTES}{}", self.escapes.name, pairs.join(" "));
        with_header(&header, &body)
    }
}

/// A form that [`Strings::with`] made, in its pieces.
#[derive(Debug)]
pub(in crate::compress) struct StringsForm<'a> {
    /// What stands before each string, and the string or its form.
    pairs: Vec<(&'a str, &'a str)>,
    after: &'a str,
    escapes: &'static Escapes,
}

impl<'a> StringsForm<'a> {
    /// Reads a form, given as its header and what follows that.
    pub(in crate::compress) fn read(header: &str, body: &'a str) -> Option<Self> {
        let (name, numbers) = header.strip_prefix(BEFORE)?.split_once(BYTES)?;
        let escapes = Escapes::named(name)?;
        let (mut pairs, mut after) = (Vec::new(), body);
        for pair in numbers.split(' ') {
            let (before, inside) = pair.split_once('+')?;
            let (before, rest) = after.split_at_checked(before.parse().ok()?)?;
            let (inside, rest) = rest.split_at_checked(inside.parse().ok()?)?;
            pairs.push((before, inside));
            after = rest;
        }
        Some(Self {
            pairs,
            after,
            escapes,
        })
    }

    /// The whole text, given how to expand the form of a string.
    pub(in crate::compress) fn restore<E>(
        &self,
        expand: impl Fn(&str) -> Result<String, E>,
    ) -> Result<String, E> {
        let mut text = String::new();
        for (before, inside) in &self.pairs {
            text.push_str(before);
            let content = if inside.starts_with(OPENING) {
                Cow::Owned(expand(inside)?)
            } else {
                Cow::Borrowed(*inside)
            };
            text.push_str(&self.escapes.escape(&content));
        }
        text.push_str(self.after);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::json::parse::LazyDocument;
    use crate::compress::split_header;

    #[test]
    fn long_strings_are_written_without_their_escapes_and_come_back() {
        let head = "one \\u0027line\\u0027\\nand two\\n";
        let tail = "the last but one\\nand \\\"the last\\\"";
        let text = format!("{{\"head\":\"{head}\",\"elided\":10,\"tail\":\"{tail}\"}}");
        let strings = Strings::of(&Parts::of(&LazyDocument::new(&text))).unwrap();
        let contents = [
            "one 'line'\nand two\n",
            "the last but one\nand \"the last\"",
        ];
        assert_eq!(strings.contents, contents);
        let form = strings.with(&[contents[0].into(), "[headroom: x]\ny".into()]);
        let (header, body) = split_header(&form).unwrap();
        let read = StringsForm::read(header, body).unwrap();
        let restored = read.restore(|form| {
            assert_eq!(form, "[headroom: x]\ny");
            Ok::<_, ()>(contents[1].to_owned())
        });
        assert_eq!(restored.unwrap(), text);
    }

    #[test]
    fn other_texts_are_left_alone() {
        for text in [
            "",
            "[]",
            r#"{"a":"one string\nthat is long"}"#,
            r#"{"a":"one\nlong","b":"no escape in it"}"#,
            r#"{"a":"one\nlong","b":"\u00E9 is in no style"}"#,
            r#"{"a":"[headroom: x]\ny","b":"a long\nstring"}"#,
            r#"{"a":"1\n2","b":"3\n4","c":[1,2,3,4,5,6,7,8,9,10,11,12]}"#,
        ] {
            assert!(
                Strings::of(&Parts::of(&LazyDocument::new(text))).is_none(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_header_that_does_not_fit_is_none() {
        let read = |rest: &str| StringsForm::read(&format!("{BEFORE}{rest}"), "aébc").is_some();
        assert!(read(&format!("{BYTES}1+2 1+0")));
        for bad in ["", "1", "1+", "+1", "2+1", "1+2 9+1", "1+2 1+9", "1+2  1+0"] {
            assert!(!read(&format!("{BYTES}{bad}")), "{bad}");
        }
        assert!(!read(&format!(" as nobody does{BYTES}1+2 1+0")));
    }
}
