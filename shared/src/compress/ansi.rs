//! Removes the ANSI escape sequences that set a terminal's colours, where the text is a command's output and no file.

use std::borrow::Cow;

use memchr::memchr;

use super::{Source, command, with_header};

const HEADER: &str = "terminal colours removed";

/// A block's text as it is read: without colours, where they say nothing of a file.
pub(super) fn readable<'a>(block: Source<'a>) -> Cow<'a, str> {
    if memchr(b'\x1b', block.text.as_bytes()).is_some()
        && block.input.is_some_and(command::prints_no_file)
    {
        without_colour(block.text)
    } else {
        Cow::Borrowed(block.text)
    }
}

/// The form of a text that is `plain` without its colours.
pub(super) fn coloured_form(plain: &str) -> String {
    with_header(HEADER, plain)
}

/// What [`coloured_form`] was given, by the header and the body of what it gave.
pub(super) fn without_header(header: &str, body: &str) -> Option<String> {
    (header == HEADER).then(|| body.to_owned())
}

/// The text without its colour sequences: `ESC [ … m` and, since `grep` sends it with every colour, `ESC [ … K`. What moves the
/// cursor stays, for it says something.
pub(super) fn without_colour(text: &str) -> Cow<'_, str> {
    let mut plain = String::new();
    let mut kept = 0;
    for (at, _) in text.match_indices('\x1b') {
        if let Some(len) = colour_len(&text[at..]) {
            plain.push_str(&text[kept..at]);
            kept = at + len;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    plain.push_str(&text[kept..]);
    Cow::Owned(plain)
}

/// Bytes of the colour sequence that `text`, an escape character first, begins with.
fn colour_len(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("\x1b[")?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
    matches!(rest.as_bytes()[end], b'm' | b'K').then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_and_everything_else_stays() {
        let coloured =
            "\x1b[1;31merror\x1b[0m: \x1b[38:5:9mx\x1b[m\x1b[K é\x1b[2J\x1b]8;;u\x07\x1b[";
        assert_eq!(
            without_colour(coloured),
            "error: x é\x1b[2J\x1b]8;;u\x07\x1b["
        );
    }

    #[test]
    fn a_text_without_colour_is_left_alone() {
        assert!(matches!(without_colour("plain\x1b[2J"), Cow::Borrowed(_)));
    }
}
