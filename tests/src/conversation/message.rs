//! One element of a request's array: what it says, how it is written, and where its texts stand.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::write::Style;
use super::{Dialect, ToolCall};

/// Whose text a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A tool's output.
    Tool,
    /// The user's words.
    User,
}

/// A text that the product may replace, in a written message.
#[derive(Debug, Clone)]
pub struct Span {
    /// Where its escaped text stands, without the quotes.
    pub range: Range<usize>,
    /// Whose it is.
    pub kind: Kind,
    /// The id of the tool call that it answers.
    pub answers: Option<String>,
}

/// A message as it is written on some turn.
#[derive(Debug)]
pub struct Written {
    /// The JSON text.
    pub text: String,
    /// Its blocks in order.
    pub blocks: Vec<Span>,
}

/// One element of a request's array.
#[derive(Debug)]
pub struct Message {
    dialect: Dialect,
    /// The element itself, without marks.
    pub value: Value,
    /// Names its content.
    pub hash: u64,
    plain: OnceLock<Written>,
    marked: OnceLock<Written>,
    originals: OnceLock<Vec<String>>,
}

impl Message {
    /// The message that says this.
    #[must_use]
    pub fn new(dialect: Dialect, value: Value) -> Self {
        let mut hasher = DefaultHasher::new();
        value.to_string().hash(&mut hasher);
        Self {
            dialect,
            value,
            hash: hasher.finish(),
            plain: OnceLock::new(),
            marked: OnceLock::new(),
            originals: OnceLock::new(),
        }
    }

    /// How it is written where it carries no mark.
    pub fn plain(&self) -> &Written {
        self.plain
            .get_or_init(|| self.write(&plain_shape(self.dialect, &self.value)))
    }

    /// How it is written as the last one, with the mark.
    pub fn marked(&self) -> &Written {
        self.marked
            .get_or_init(|| self.write(&marked_shape(&self.value)))
    }

    fn write(&self, value: &Value) -> Written {
        let style = Style {
            python: self.dialect == Dialect::Chat,
        };
        let text = style.text(value);
        let blocks = blocks(self.dialect, &text);
        Written { text, blocks }
    }

    /// The texts of its blocks as the model reads them.
    ///
    /// # Panics
    /// When a text is not JSON.
    pub fn originals(&self) -> &[String] {
        self.originals.get_or_init(|| {
            let written = self.plain();
            let texts = written.blocks.iter();
            texts
                .map(|block| unescape(&written.text[block.range.clone()]).expect("JSON"))
                .collect()
        })
    }

    /// Whether it holds thinking.
    #[must_use]
    pub fn thinks(&self) -> bool {
        let parts = self.value["content"].as_array().into_iter().flatten();
        let mut parts = parts.chain([&self.value]);
        parts.any(|part| {
            ["thinking", "redacted_thinking", "reasoning"]
                .contains(&part["type"].as_str().unwrap_or_default())
        })
    }

    /// The tool calls in it, by their ids.
    #[must_use]
    pub fn tool_calls(&self) -> Vec<(String, ToolCall)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let value = &self.value;
        let list = |name: &str| value[name].as_array().cloned().unwrap_or_default();
        match self.dialect {
            Dialect::Messages => list("content")
                .iter()
                .filter(|part| part["type"] == "tool_use")
                .map(|part| {
                    (
                        text(&part["id"]),
                        (
                            text(&part["name"]),
                            Style { python: false }.text(&part["input"]),
                        ),
                    )
                })
                .collect(),
            Dialect::Chat => list("tool_calls")
                .iter()
                .map(|call| {
                    (
                        text(&call["id"]),
                        (
                            text(&call["function"]["name"]),
                            text(&call["function"]["arguments"]),
                        ),
                    )
                })
                .collect(),
            Dialect::Responses => match value["type"].as_str() {
                Some("function_call") => vec![(
                    text(&value["call_id"]),
                    (text(&value["name"]), text(&value["arguments"])),
                )],
                Some("custom_tool_call") => vec![(
                    text(&value["call_id"]),
                    (text(&value["name"]), text(&value["input"])),
                )],
                _ => Vec::new(),
            },
        }
    }
}

/// What a piece of escaped JSON text says.
///
/// # Errors
/// When it is no JSON string.
pub fn unescape(escaped: &str) -> Result<String, serde_json::Error> {
    serde_json::from_str(&format!("\"{escaped}\""))
}

/// Claude Code sends a content of one text as a plain string wherever it carries no mark.
pub(super) fn plain_shape(dialect: Dialect, message: &Value) -> Value {
    let mut message = message.clone();
    if dialect != Dialect::Messages || message["role"] != "user" {
        return message;
    }
    for part in message["content"].as_array_mut().into_iter().flatten() {
        if let Some(text) = part.get("content").and_then(single_text) {
            part["content"] = text;
        }
    }
    if let Some(text) = single_text(&message["content"]) {
        message["content"] = text;
    }
    message
}

fn single_text(content: &Value) -> Option<Value> {
    let [part] = content.as_array()?.as_slice() else {
        return None;
    };
    let is_plain = part["type"] == "text" && part.as_object().is_some_and(|part| part.len() == 2);
    is_plain.then(|| part["text"].clone())
}

/// Where it carries a mark the same content is an array of one text.
fn marked_shape(message: &Value) -> Value {
    let mut message = message.clone();
    if let Value::String(text) = &message["content"] {
        message["content"] = json!([{"type": "text", "text": text}]);
    }
    let parts = message["content"].as_array_mut();
    if let Some(last) = parts.and_then(|parts| parts.last_mut()) {
        if let Some(Value::String(text)) = last.get("content") {
            last["content"] = json!([{"type": "text", "text": text}]);
        }
        last["cache_control"] = json!({"type": "ephemeral"});
    }
    message
}

#[derive(Deserialize)]
struct RawMessage<'a> {
    #[serde(borrow, default)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    call_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawPart<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_use_id: Option<Cow<'a, str>>,
}

/// Finds the blocks of a written message with a JSON library, not with the product's scanner.
pub(super) fn blocks(dialect: Dialect, text: &str) -> Vec<Span> {
    let message: RawMessage = serde_json::from_str(text).expect("a message");
    let mut found = Found {
        text,
        spans: Vec::new(),
    };
    let role = message.role.as_deref().unwrap_or_default();
    let kind = message.kind.as_deref().unwrap_or_default();
    match (dialect, role, kind) {
        (Dialect::Messages | Dialect::Chat, "user", _)
        | (Dialect::Responses, "user", "message" | "") => {
            found.content(message.content, Kind::User, None);
        }
        (Dialect::Chat, "tool", _) => {
            found.content(message.content, Kind::Tool, message.tool_call_id.as_deref());
        }
        (Dialect::Responses, _, "function_call_output" | "custom_tool_call_output") => {
            found.content(message.output, Kind::Tool, message.call_id.as_deref());
        }
        _ => {}
    }
    found.spans
}

struct Found<'a> {
    text: &'a str,
    spans: Vec<Span>,
}

impl<'a> Found<'a> {
    fn content(&mut self, content: Option<&'a RawValue>, kind: Kind, answers: Option<&str>) {
        let Some(content) = content else { return };
        if content.get().starts_with('"') {
            self.add(content, kind, answers);
        }
        if !content.get().starts_with('[') {
            return;
        }
        let parts: Vec<RawPart> = serde_json::from_str(content.get()).expect("parts");
        for part in parts {
            match (part.kind.as_deref(), part.text) {
                (Some("text" | "input_text" | "output_text"), Some(text)) => {
                    self.add(text, kind, answers)
                }
                (Some("tool_result"), _) => {
                    self.content(part.content, Kind::Tool, part.tool_use_id.as_deref());
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, string: &RawValue, kind: Kind, answers: Option<&str>) {
        if !string.get().starts_with('"') {
            return;
        }
        let start = string.get().as_ptr() as usize - self.text.as_ptr() as usize + 1;
        let range = start..start + string.get().len() - 2;
        self.spans.push(Span {
            range,
            kind,
            answers: answers.map(str::to_owned),
        });
    }
}
