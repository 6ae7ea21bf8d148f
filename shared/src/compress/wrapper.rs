//! The wrapper that clients and programs put around an output: reminders in tags before or behind it, the lines with which Codex opens the
//! output of a command, a few lines before or behind JSON, and JSON objects that hold the output as a string.
//!
//! ```text
//! {"some": "JSON"}
//!
//! <system-reminder>
//! <total_tokens>184230 tokens left</total_tokens>
//! </system-reminder>
//! ```
//!
//! The wrapper stays as it is, at its place. The output within gets a form with headers of its own.

use std::borrow::Cow;

use super::{json, with_header};

const FIRST: &str = "the first ";
const LAST: &str = "the last ";
const AND: &str = " and ";
const AFTER: &str = " bytes stand as they were; the rest has a header of its own";
const STRING: &str = ", and was the content of a JSON string, escaped";

/// No client puts more around an output.
const MAX_TAGS: usize = 8;

/// The line with which Codex ends its lines before a command's output, and the most bytes and lines of those.
const OUTPUT: &str = "Output:\n";
const MAX_OPENING_BYTES: usize = 400;
const MAX_OPENING_LINES: usize = 8;

/// A text in three pieces: the wrapper before, the wrapped text, the wrapper after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrappedText<'a> {
    before: &'a str,
    /// The wrapped text, or its form.
    pub(super) core: Cow<'a, str>,
    after: &'a str,
    /// Whether `core` is the content of a JSON string, and escaped in the whole text.
    is_string: bool,
}

impl<'a> WrappedText<'a> {
    /// Splits a text; `None` where it has no wrapper, or is nothing but one.
    pub(super) fn split(text: &'a str) -> Option<Self> {
        let mut start = opening_len(text);
        let mut end = text.len();
        for _ in 0..MAX_TAGS {
            let core = &text[start..end];
            let (first, last) = (first_tag_len(core), last_tag_len(core));
            if first == 0 && last == 0 {
                break;
            }
            if first + last >= core.len() {
                return None;
            }
            (start, end) = (start + first, end - last);
        }
        if let Some(json) = json::json_among_lines(&text[start..end]) {
            (start, end) = (start + json.start, start + json.end);
        }
        let mut core = Cow::Borrowed(&text[start..end]);
        let string = json::largest_string(&text[start..end]);
        let is_string = string.is_some();
        if let Some((range, content)) = string {
            (start, end) = (start + range.start, start + range.end);
            core = Cow::Owned(content);
        }
        let wrapped = start > 0 || end < text.len();
        (wrapped && !core.trim().is_empty()).then(|| Self {
            before: &text[..start],
            core,
            after: &text[end..],
            is_string,
        })
    }

    /// The form of the whole text, given that of the wrapped text.
    pub(super) fn to_form(&self, form: &str) -> String {
        let describe = |which: &str, piece: &str| match piece.len() {
            0 => None,
            len => Some(format!("{which}{len}")),
        };
        let pieces = [describe(FIRST, self.before), describe(LAST, self.after)];
        let pieces: Vec<String> = pieces.into_iter().flatten().collect();
        let string = if self.is_string { STRING } else { "" };
        let header = format!("{}{AFTER}{string}", pieces.join(AND));
        with_header(&header, &[self.before, form, self.after].concat())
    }

    /// Splits a form that [`WrappedText::to_form`] made, given as its header and what follows that.
    pub(super) fn from_form(header: &str, body: &'a str) -> Option<Self> {
        let (header, is_string) = match header.strip_suffix(STRING) {
            Some(header) => (header, true),
            None => (header, false),
        };
        let mut description = header.strip_suffix(AFTER)?;
        let mut before = 0;
        if let Some(rest) = description.strip_prefix(FIRST) {
            let (number, rest) = rest.split_once(AND).unwrap_or((rest, ""));
            (before, description) = (number.parse().ok()?, rest);
        }
        let after: usize = match description.strip_prefix(LAST) {
            Some(number) => number.parse().ok()?,
            None => description.is_empty().then_some(0)?,
        };
        let (before, rest) = body.split_at_checked(before)?;
        let (core, after) = rest.split_at_checked(rest.len().checked_sub(after)?)?;
        Some(Self {
            before,
            core: Cow::Borrowed(core),
            after,
            is_string,
        })
    }

    /// The whole text, given the wrapped one.
    pub(super) fn restore(&self, core: &str) -> String {
        let core = if self.is_string {
            Cow::Owned(json::escaped(core))
        } else {
            Cow::Borrowed(core)
        };
        [self.before, &core, self.after].concat()
    }
}

/// Bytes of the lines with which Codex opens a command's output: `Chunk ID: …`, `Exit code: …` and the like up to `Output:`.
fn opening_len(text: &str) -> usize {
    let mut len = 0;
    for line in text.split_inclusive('\n').take(MAX_OPENING_LINES) {
        len += line.len();
        if line == OUTPUT {
            return len;
        }
        if len > MAX_OPENING_BYTES {
            break;
        }
    }
    0
}

/// Bytes of the tag that a text begins with, all that is in it, and the white space behind it. A tag that is not on lines of its
/// own belongs to its line.
fn first_tag_len(text: &str) -> usize {
    let length = || {
        let name = tag_name(text.strip_prefix('<')?)?;
        let close = format!("</{name}>");
        let end = text.find(&close)? + close.len();
        let rest = text[end..].trim_start();
        let space = &text[end..text.len() - rest.len()];
        let ends_line = rest.is_empty() || space.contains('\n');
        ends_line.then_some(text.len() - rest.len())
    };
    length().unwrap_or(0)
}

/// The same of the tag that a text ends with, and the white space before it.
fn last_tag_len(text: &str) -> usize {
    let length = || {
        let trimmed = text.trim_end();
        let name = trimmed.strip_suffix('>')?;
        let name = &name[name.rfind("</")? + 2..];
        tag_name(&format!("{name}>")).filter(|read| *read == name)?;
        let open = trimmed.rfind(&format!("<{name}>"))?;
        let before = text[..open].trim_end();
        let space = &text[before.len()..open];
        let starts_line = before.is_empty() || space.contains('\n');
        starts_line.then_some(text.len() - before.len())
    };
    length().unwrap_or(0)
}

/// The name of a tag without attributes, given what follows its bracket.
fn tag_name(rest: &str) -> Option<&str> {
    let (name, _) = rest.split_once('>')?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_');
    (!name.is_empty() && name.len() <= 40 && name.bytes().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &str = "a \"b\"\n\tc, which goes on for a while\n";
    const REMINDER: &str =
        "<system-reminder>\n<total_tokens>184230 tokens left</total_tokens>\n</system-reminder>";

    fn pieces(text: &str) -> Option<[String; 3]> {
        WrappedText::split(text).map(|it| [it.before.into(), it.core.into(), it.after.into()])
    }

    fn three(before: &str, core: &str, after: &str) -> Option<[String; 3]> {
        Some([before, core, after].map(ToOwned::to_owned))
    }

    #[test]
    fn reminders_are_set_apart_at_both_ends() {
        let text = format!("{REMINDER}\n[1]\n\n{REMINDER}\n");
        let after = format!("\n\n{REMINDER}\n");
        let before = format!("{REMINDER}\n");
        assert_eq!(pieces(&text), three(&before, "[1]", &after));
        let two = format!("[1]\n{REMINDER}\n\n{REMINDER}");
        assert_eq!(pieces(&two), three("", "[1]", &two[3..]));
    }

    #[test]
    fn what_codex_says_of_a_command_is_set_apart() {
        let opening = "Chunk ID: 1f\nWall time: 0.1 seconds\nProcess exited with code 0\nOutput:\n";
        let text = format!("{opening}[1]\n");
        assert_eq!(pieces(&text), three(opening, "[1]\n", ""));
    }

    #[test]
    fn lines_around_json_are_set_apart() {
        let json = "{\"a\": \"some text that is longer than what is around it\"}\n[2]";
        let text = format!("2 values:\n{json}\nexit code 0\n");
        assert_eq!(pieces(&text), three("2 values:\n", json, "\nexit code 0\n"));
        let opening = "Exit code: 0\nOutput:\n";
        let text = format!("{opening}{json}\nexit code 0\n");
        assert_eq!(pieces(&text), three(opening, json, "\nexit code 0\n"));
    }

    #[test]
    fn an_output_in_a_json_string_is_set_apart() {
        let text =
            r#"{"exit_code":0,"output":"a \"b\"\n\tc, which goes on for a while\n","x":[1]}"#;
        let parts = three(r#"{"exit_code":0,"output":""#, CONTENT, r#"","x":[1]}"#);
        assert_eq!(pieces(text), parts);
        let pretty = text
            .replace("{\"exit_code\":0,", "{\n")
            .replace(",\"x\":[1]}", "\n}\n");
        for text in [pretty, format!("{text}\n{REMINDER}")] {
            assert_eq!(pieces(&text).unwrap()[1], CONTENT);
        }
        for text in [
            r#"{"output":"\u00e9 and more of it that is long"}"#,
            r#"{"output":"a","other":"more text than the output has in it"}x"#,
            r#"{"a":"short","b":[1,2,3,4,5,6,7,8,9,10,11,12,13,14]}"#,
            r#"["a string in an array"]"#,
        ] {
            assert_eq!(pieces(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_with_nothing_around_it_is_left_alone() {
        for text in [
            "",
            "plain",
            REMINDER,
            "<a>b</a> c",
            "x <b>y</b>",
            "<html lang=\"en\">\n</html>",
            "x\n</b>",
            "<b>x",
            "Output",
            "</>",
            "<>",
            "x\n<B>y</B>",
        ] {
            assert_eq!(pieces(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_pieces_are_found_again_in_the_form() {
        let behind = format!("[1]\n\n{REMINDER}");
        let before = format!("{REMINDER}\n[1]");
        let both = format!("Exit code: 0\nOutput:\né\n{REMINDER}");
        let string = r#"{"output":"é \"1\"\n2\\\u0001"}"#.to_owned();
        for text in [behind, before, both, string] {
            let wrapped = WrappedText::split(&text).unwrap();
            let form = wrapped.to_form("[headroom: x]\ny");
            let (header, body) = crate::compress::split_header(&form).unwrap();
            let read = WrappedText::from_form(header, body).unwrap();
            assert_eq!(read.core, "[headroom: x]\ny");
            assert_eq!(read.restore(&wrapped.core), text);
        }
    }

    #[test]
    fn a_header_that_does_not_fit_is_none() {
        for (header, body) in [
            (
                "the last 5 bytes stand as they were; the rest has a header of its own",
                "abc",
            ),
            (
                "the last 1 bytes stand as they were; the rest has a header of its own",
                "é",
            ),
            (
                "the first x bytes stand as they were; the rest has a header of its own",
                "abc",
            ),
            ("the first 1", "abc"),
        ] {
            assert_eq!(WrappedText::from_form(header, body), None, "{header}");
        }
    }
}
