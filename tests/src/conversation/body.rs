//! A whole request body and where its blocks stand.

use std::ops::Range;

use serde_json::{Value, json};

use super::message::Written;
use super::write::Style;
use super::{Conversation, Dialect, Kind};

/// A request's body.
#[derive(Debug)]
pub struct Body {
    /// The bytes that the client sends.
    pub bytes: Vec<u8>,
    /// The texts that the product may replace, in order.
    pub blocks: Vec<Block>,
}

/// A text that the product may replace.
#[derive(Debug, Clone)]
pub struct Block {
    /// Where its escaped text stands in the body.
    pub range: Range<usize>,
    /// The message in which it stands.
    pub message: usize,
    /// Which of the message's blocks it is.
    pub nth: usize,
    /// Whose text it is.
    pub kind: Kind,
    /// The id of the tool call that it answers.
    pub answers: Option<String>,
}

impl Body {
    pub(super) fn of(conversation: &Conversation) -> Self {
        match conversation.dialect {
            Dialect::Messages => claude_code(conversation),
            Dialect::Chat => python(conversation),
            Dialect::Responses => codex(conversation),
        }
    }

    fn with_messages(
        head: String,
        conversation: &Conversation,
        separator: &str,
        tail: &str,
    ) -> Self {
        let mut body = Self {
            bytes: head.into_bytes(),
            blocks: Vec::new(),
        };
        let marks_last = conversation.marked && conversation.dialect == Dialect::Messages;
        let count = conversation.messages.len();
        for (at, message) in conversation.messages.iter().enumerate() {
            if at > 0 {
                body.bytes.extend_from_slice(separator.as_bytes());
            }
            let last = at + 1 == count;
            body.message(
                at,
                if marks_last && last {
                    message.marked()
                } else {
                    message.plain()
                },
            );
        }
        body.bytes.extend_from_slice(tail.as_bytes());
        body
    }

    fn message(&mut self, message: usize, written: &Written) {
        let base = self.bytes.len();
        for (nth, span) in written.blocks.iter().enumerate() {
            self.blocks.push(Block {
                range: base + span.range.start..base + span.range.end,
                message,
                nth,
                kind: span.kind,
                answers: span.answers.clone(),
            });
        }
        self.bytes.extend_from_slice(written.text.as_bytes());
    }
}

const COMPACT: Style = Style { python: false };
const PYTHON: Style = Style { python: true };

fn claude_code(conversation: &Conversation) -> Body {
    let system = |text: &str| {
        let mut block = json!({"type": "text", "text": text});
        if conversation.marked {
            block["cache_control"] = json!({"type": "ephemeral"});
        }
        block
    };
    let user = json!({"session_id": conversation.id}).to_string();
    let head = format!(
        "{{\"model\":{},\"messages\":[",
        Value::from(conversation.model.as_str())
    );
    let tail = format!(
        "],\"system\":{},\"tools\":{},\"metadata\":{},\"max_tokens\":32000,\"temperature\":1.0,\"stream\":{}}}",
        COMPACT.text(&json!([
            system("You are Claude Code."),
            system(&conversation.instructions)
        ])),
        COMPACT.text(&conversation.tools),
        json!({"user_id": user}),
        conversation.streamed,
    );
    Body::with_messages(head, conversation, ",", &tail)
}

fn python(conversation: &Conversation) -> Body {
    let system = json!({"role": "system", "content": conversation.instructions});
    let has_system = conversation
        .messages
        .first()
        .is_some_and(|first| first.value["role"] == "system");
    let system = if has_system {
        String::new()
    } else {
        PYTHON.text(&system) + ", "
    };
    let head = format!("{{\"messages\": [{system}");
    let usage = if conversation.streamed {
        ", \"stream\": true, \"stream_options\": {\"include_usage\": true}"
    } else {
        ""
    };
    let tail = format!(
        "], \"model\": {}, \"temperature\": 0.0, \"tools\": {}{usage}}}",
        Value::from(conversation.model.as_str()),
        PYTHON.text(&conversation.tools),
    );
    Body::with_messages(head, conversation, ", ", &tail)
}

fn codex(conversation: &Conversation) -> Body {
    let head = format!(
        "{{\"model\":{},\"instructions\":{},\"input\":[",
        Value::from(conversation.model.as_str()),
        Value::from(conversation.instructions.as_str()),
    );
    let tail = format!(
        "],\"tools\":{},\"tool_choice\":\"auto\",\"parallel_tool_calls\":false,\"store\":false,\"stream\":{},\"prompt_cache_key\":{}}}",
        COMPACT.text(&conversation.tools),
        conversation.streamed,
        Value::from(conversation.id.as_str()),
    );
    Body::with_messages(head, conversation, ",", &tail)
}
