//! A conversation as it stands in a body that a real client sent.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Block, Body, Conversation, Dialect, message};

#[derive(Deserialize)]
struct RawBody<'a> {
    #[serde(default)]
    model: String,
    #[serde(borrow, default)]
    messages: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    input: Vec<&'a RawValue>,
}

impl Conversation {
    /// The conversation in a body, and where its blocks stand there. A cache marker and the shape of a content that is one
    /// text are not part of what a message says.
    ///
    /// # Errors
    /// When it is no body of that dialect.
    pub fn read(dialect: Dialect, bytes: &[u8]) -> Result<(Self, Body), String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let raw: RawBody = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut conversation = Self::new(dialect, "");
        conversation.model = raw.model;
        let mut body = Body {
            bytes: bytes.to_vec(),
            blocks: Vec::new(),
        };
        for (at, raw) in raw.messages.iter().chain(&raw.input).enumerate() {
            let base = raw.get().as_ptr() as usize - text.as_ptr() as usize;
            for (nth, span) in message::blocks(dialect, raw.get()).into_iter().enumerate() {
                body.blocks.push(Block {
                    range: base + span.range.start..base + span.range.end,
                    message: at,
                    nth,
                    kind: span.kind,
                    answers: span.answers,
                });
            }
            let element = raw.get().parse().map_err(|error| format!("{error}"))?;
            conversation.push(message::plain_shape(dialect, &unmarked(element)));
        }
        Ok((conversation, body))
    }
}

/// A message without cache markers.
fn unmarked(mut element: Value) -> Value {
    if let Some(object) = element.as_object_mut() {
        object.remove("cache_control");
    }
    for name in ["content", "output"] {
        let parts = element.get_mut(name).and_then(Value::as_array_mut);
        for part in parts.into_iter().flatten() {
            *part = unmarked(part.take());
        }
    }
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_and_a_shape_change_nothing_but_the_places() {
        let with = |content: &str| {
            format!(
                r#"{{"model":"m", "messages":[{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"a","content":{content}}}]}}]}}"#
            )
        };
        let read = |body: &str| Conversation::read(Dialect::Messages, body.as_bytes());
        let marked =
            with(r#"[{"type":"text","text":"a\nb","cache_control":{"type":"ephemeral"}}]"#);
        let (one, there) = read(&marked).expect("a body");
        let (other, here) = read(&with(r#""a\nb""#)).expect("a body");
        assert_eq!(one.messages[0].hash, other.messages[0].hash);
        assert_eq!(one.messages[0].originals(), ["a\nb"]);
        for body in [there, here] {
            let [block] = body.blocks.as_slice() else {
                panic!("{body:?}")
            };
            assert_eq!(&body.bytes[block.range.clone()], br"a\nb");
            assert_eq!(block.answers.as_deref(), Some("a"));
        }
    }
}
