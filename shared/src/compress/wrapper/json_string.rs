//! JSON that holds a text as a string: `{"output":"…","exit_code":0}`, `[{"type":"text","text":"…"}]`, or nothing but the string.

use std::ops::Range;

use super::{Escapes, Parts};

/// A string in a JSON text.
pub(super) struct JsonString {
    /// Where its content stands in the whole text.
    pub(super) range: Range<usize>,
    /// That content as it is read.
    pub(super) content: String,
    pub(super) escapes: &'static Escapes,
}

/// The largest of the strings of a JSON text, if it is most of that and reads otherwise than it is written. `None` where it would not come
/// back to the letter, and where it holds control characters that a provider may refuse.
pub(super) fn find(parts: &Parts<'_>) -> Option<JsonString> {
    let range = parts
        .strings
        .iter()
        .max_by_key(|range| range.len())?
        .clone();
    let literal = &parts.text[range.clone()];
    if range.len() * 2 <= parts.lines.len() || !literal.contains('\\') {
        return None;
    }
    let content = content(parts.text, &range)?;
    let escapes = Escapes::of(&content, literal)?;
    Some(JsonString {
        range,
        content,
        escapes,
    })
}

/// A string as it is read, given where its content stands. `None` where it holds control characters that a provider may refuse.
pub(super) fn content(text: &str, range: &Range<usize>) -> Option<String> {
    let content: String = serde_json::from_str(&text[range.start - 1..=range.end]).ok()?;
    let is_safe = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\x1b');
    content.chars().all(is_safe).then_some(content)
}
