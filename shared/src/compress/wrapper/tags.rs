//! Tags without attributes around a text: the reminders of Claude Code before or behind it, and elements that hold it, such as
//! `<returncode>0</returncode>` and `<output>` of mini-swe-agent, or `<file>` of a read.

use std::ops::Range;

use super::Wrapper;

/// No client puts more around an output.
const MAX_TAGS: usize = 8;

/// No client has longer names.
const MAX_NAME_BYTES: usize = 40;

/// The elements that hold an output. In others, what they hold is not the output.
const HOLD_OUTPUT: [&str; 10] = [
    "content",
    "document",
    "file",
    "file_content",
    "output",
    "response",
    "result",
    "stdout",
    "tool_output",
    "tool_result",
];

pub(super) struct Tags;

impl Wrapper for Tags {
    fn inside(&self, text: &str) -> Option<Range<usize>> {
        let mut found = 0..text.len();
        for _ in 0..MAX_TAGS {
            let rest = &text[found.clone()];
            if let Some(held) = held(rest) {
                return Some(found.start + held.start..found.start + held.end);
            }
            let first = first_len(rest);
            found.start += first;
            let last = last_len(&text[found.clone()]);
            if first == 0 && last == 0 {
                break;
            }
            // Where nothing but elements is left, the last may hold the output.
            if first == 0 || last < found.len() {
                found.end -= last;
            }
        }
        (found.len() < text.len()).then_some(found)
    }
}

/// What stands in the element that a text is, if it holds an output.
fn held(text: &str) -> Option<Range<usize>> {
    let name = name(text.strip_prefix('<')?)?;
    let trimmed = text.trim_end();
    let start = name.len() + 2;
    let start = start + usize::from(text[start..].starts_with('\n'));
    let close = trimmed.strip_suffix('>')?.strip_suffix(name)?;
    let end = close.strip_suffix("</")?;
    let end = end.strip_suffix('\n').unwrap_or(end).len();
    (HOLD_OUTPUT.contains(&name) && start <= end).then_some(start..end)
}

/// Bytes of the element that a text begins with and of the white space behind it. One that is not on lines of its own belongs to its line.
fn first_len(text: &str) -> usize {
    let length = || {
        let name = name(text.strip_prefix('<')?)?;
        let close = format!("</{name}>");
        let end = text.find(&close)? + close.len();
        let rest = text[end..].trim_start();
        let space = &text[end..text.len() - rest.len()];
        let ends_line = rest.is_empty() || space.contains('\n');
        ends_line.then_some(text.len() - rest.len())
    };
    length().unwrap_or(0)
}

/// The same of the element that a text ends with, and the white space before it.
fn last_len(text: &str) -> usize {
    let length = || {
        let trimmed = text.trim_end();
        let at = trimmed.strip_suffix('>')?.rfind("</")? + 2;
        let is_last = |name: &&str| at + name.len() + 1 == trimmed.len();
        let name = name(&trimmed[at..]).filter(is_last)?;
        let open = trimmed.rfind(&format!("<{name}>"))?;
        let before = text[..open].trim_end();
        let space = &text[before.len()..open];
        let starts_line = before.is_empty() || space.contains('\n');
        starts_line.then_some(text.len() - before.len())
    };
    length().unwrap_or(0)
}

/// The name of a tag without attributes, given what follows its bracket.
fn name(rest: &str) -> Option<&str> {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_');
    let len = rest.bytes().take_while(plain).count();
    let is_name = (1..=MAX_NAME_BYTES).contains(&len) && rest[len..].starts_with('>');
    is_name.then(|| &rest[..len])
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMINDER: &str =
        "<system-reminder>\n<total_tokens>184230 tokens left</total_tokens>\n</system-reminder>";

    fn inside(text: &str) -> Option<&str> {
        Tags.inside(text).map(|inside| &text[inside])
    }

    #[test]
    fn reminders_are_set_apart_at_both_ends() {
        let text = format!("{REMINDER}\n[1]\n\n{REMINDER}\n\n{REMINDER}\n");
        assert_eq!(inside(&text), Some("[1]"));
    }

    #[test]
    fn what_an_element_holds_is_taken_out() {
        let mini = "<returncode>0</returncode>\n<output>\na </output> b\n</output>";
        assert_eq!(inside(mini), Some("a </output> b"));
        let text = format!(
            "<path>/a</path>\n<type>file</type>\n<content>1: a\n2: b\n</content>\n\n{REMINDER}"
        );
        assert_eq!(inside(&text), Some("1: a\n2: b"));
        assert_eq!(inside("<file>\n1| a\n</file>"), Some("1| a"));
    }

    #[test]
    fn a_text_with_no_element_around_it_is_left_alone() {
        for text in [
            "",
            "plain",
            "<a>b</a> c",
            "x <b>y</b>",
            "<html lang=\"en\">\n</html>",
            "x\n</b>",
            "<b>x",
            "</>",
            "<>",
            "x\n<B>y</B>",
            "<output>",
            "<output",
        ] {
            assert_eq!(inside(text), None, "{text:?}");
        }
    }
}
