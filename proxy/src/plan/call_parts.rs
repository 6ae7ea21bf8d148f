//! The parts of a tool call as JSON text: its name and its input.

use headroom_shared::runtime::truncated::truncated;
use serde_json::Value;

use crate::scan::Call;

/// A tool call's input that is longer than this is left out, or abridged.
pub(super) const LONGEST_INPUT: usize = 64 << 10;

/// So much of a text stays in an abridged input, in bytes: less than a form may refer to.
const ABRIDGED_TEXT: usize = 255;

/// How a call's input is read.
pub(super) type ReadInput = fn(&[u8], &Call) -> Option<String>;

/// The name of a call's tool.
pub(super) fn name(body: &[u8], call: &Call) -> Option<String> {
    serde_json::from_slice(&body[call.name.start - 1..call.name.end + 1]).ok()
}

/// A call's input; `None` for a very long one.
pub(super) fn input(body: &[u8], call: &Call) -> Option<String> {
    let raw = &body[call.input.clone()];
    if raw.len() > LONGEST_INPUT {
        return None;
    }
    unquoted(raw)
}

/// A call's input; of a very long one what names files: each text's first line, up to some bytes.
pub(super) fn input_or_abridged(body: &[u8], call: &Call) -> Option<String> {
    let raw = &body[call.input.clone()];
    if raw.len() <= LONGEST_INPUT {
        return input(body, call);
    }
    let mut input: Value = serde_json::from_str(&unquoted(raw)?).ok()?;
    // The parser bounds how deep it is nested.
    let mut left = vec![&mut input];
    while let Some(value) = left.pop() {
        match value {
            Value::String(text) => {
                let line = text.find('\n').unwrap_or(text.len());
                let end = truncated(text, line.min(ABRIDGED_TEXT)).len();
                text.truncate(end);
            }
            Value::Array(items) => left.extend(items),
            Value::Object(members) => left.extend(members.values_mut()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    Some(input.to_string()).filter(|input| input.len() <= LONGEST_INPUT)
}

/// A call's input as JSON text.
fn unquoted(raw: &[u8]) -> Option<String> {
    // `arguments` is JSON in a string; `input` is JSON as it stands.
    let in_string = raw.starts_with(b"\"").then(|| serde_json::from_slice(raw));
    in_string
        .and_then(Result::ok)
        .or_else(|| String::from_utf8(raw.to_vec()).ok())
}
