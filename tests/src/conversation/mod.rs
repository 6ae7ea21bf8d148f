//! Conversations, and how real clients write them on each turn.

mod body;
mod message;
mod read;
pub mod recorded;
mod write;

use std::collections::HashMap;
use std::ops::Range;

use serde_json::{Value, json};

pub use self::body::{Block, Body};
pub use self::message::{Kind, Message, Span, Written, unescape};
use crate::http::Call;

/// The request format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Anthropic Messages, as Claude Code writes it.
    Messages,
    /// `OpenAI` Chat Completions, as Python programs write it.
    Chat,
    /// `OpenAI` Responses, as Codex writes it.
    Responses,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Messages, Self::Chat, Self::Responses];

    /// Path and query of its requests.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Messages => "/v1/messages?beta=true",
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
        }
    }

    /// A model that binds no thinking.
    #[must_use]
    pub fn model(self) -> &'static str {
        match self {
            Self::Messages => "claude-opus-4-6",
            Self::Chat | Self::Responses => "gpt-6.1-sol",
        }
    }
}

/// A tool call: name and input as JSON text.
pub type ToolCall = (String, String);

/// A conversation that grows turn by turn.
#[derive(Debug)]
pub struct Conversation {
    /// How it is written.
    pub dialect: Dialect,
    /// Its name, unique to it, which also stands in its system prompt.
    pub id: String,
    /// The model that it asks.
    pub model: String,
    /// Whether the client marks what shall be cached (Messages alone).
    pub marked: bool,
    /// Whether the client wants a stream.
    pub streamed: bool,
    /// The tools as they stand in the request.
    pub tools: Value,
    /// The system prompt.
    pub instructions: String,
    /// The elements of the request's array.
    pub messages: Vec<Message>,
    /// Tool calls by their id.
    pub calls: HashMap<String, ToolCall>,
}

impl Conversation {
    /// An empty one that is streamed and marked.
    #[must_use]
    pub fn new(dialect: Dialect, id: &str) -> Self {
        Self {
            dialect,
            id: id.to_owned(),
            model: dialect.model().to_owned(),
            marked: true,
            streamed: true,
            tools: json!([]),
            instructions: format!("You are a careful engineer. Session {id}."),
            messages: Vec::new(),
            calls: HashMap::new(),
        }
    }

    /// The same without marks, so that the provider caches nothing of it.
    #[must_use]
    pub fn unmarked(mut self) -> Self {
        self.marked = false;
        self
    }

    /// Adds an element of the request's array.
    pub fn push(&mut self, element: Value) {
        let message = Message::new(self.dialect, element);
        self.calls.extend(message.tool_calls());
        self.messages.push(message);
    }

    /// The tool calls in these messages, in their order.
    #[must_use]
    pub fn calls_in(&self, messages: Range<usize>) -> Vec<ToolCall> {
        let messages = self.messages.get(messages).unwrap_or_default().iter();
        let calls = messages.flat_map(Message::tool_calls);
        calls.map(|(_, call)| call).collect()
    }

    /// Adds what the user says.
    #[must_use]
    pub fn user(mut self, text: &str) -> Self {
        self.push(match self.dialect {
            Dialect::Messages => json!({"role": "user", "content": [{"type": "text", "text": text}]}),
            Dialect::Chat => json!({"role": "user", "content": text}),
            Dialect::Responses => {
                json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
            }
        });
        self
    }

    /// Adds what the model says.
    #[must_use]
    pub fn assistant(mut self, text: &str) -> Self {
        self.push(match self.dialect {
            Dialect::Messages => json!({"role": "assistant", "content": [{"type": "text", "text": text}]}),
            Dialect::Chat => json!({"role": "assistant", "content": text}),
            Dialect::Responses => {
                json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]})
            }
        });
        self
    }

    /// Adds what the model thinks and says (Messages and Responses).
    #[must_use]
    pub fn thinking(mut self, thought: &str) -> Self {
        if self.dialect == Dialect::Responses {
            self.push(json!({"type": "reasoning", "summary": [], "encrypted_content": thought}));
            return self.assistant("I thought.");
        }
        self.push(json!({"role": "assistant", "content": [
            {"type": "thinking", "thinking": thought, "signature": "c2lnbmF0dXJl"},
            {"type": "text", "text": "I thought."},
        ]}));
        self
    }

    /// Adds a tool call of the model and its result.
    #[must_use]
    pub fn tool(mut self, name: &str, input: &Value, result: &str) -> Self {
        let id = format!("call_{}", self.messages.len());
        match self.dialect {
            Dialect::Messages => {
                self.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": name, "input": input}]}));
                self.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": result}]}));
            }
            Dialect::Chat => {
                let call = json!({"id": id, "type": "function", "function": {"name": name, "arguments": input.to_string()}});
                self.push(json!({"role": "assistant", "content": null, "tool_calls": [call]}));
                self.push(json!({"role": "tool", "tool_call_id": id, "content": result}));
            }
            Dialect::Responses => {
                self.push(json!({"type": "function_call", "call_id": id, "name": name, "arguments": input.to_string()}));
                self.push(json!({"type": "function_call_output", "call_id": id, "output": result}));
            }
        }
        self
    }

    /// Adds a tool call that reads a source file whose content `seed` makes, about `bytes` long.
    #[must_use]
    pub fn reads(self, seed: usize, bytes: usize) -> Self {
        let path = format!("/srv/app/src/module_{seed}.py");
        self.tool("Read", &json!({"file_path": path}), &listing(seed, bytes))
    }

    /// The request that the client sends now.
    #[must_use]
    pub fn call(&self) -> Call {
        self.call_with(&self.body())
    }

    /// The request with this body.
    #[must_use]
    pub fn call_with(&self, body: &Body) -> Call {
        let call = Call::post(self.dialect.path(), body.bytes.clone());
        match self.dialect {
            Dialect::Messages => call
                .header("anthropic-version", "2023-06-01")
                .header("x-api-key", "test-key")
                .header("x-claude-code-session-id", &self.id),
            Dialect::Chat => call.header("authorization", "Bearer test-key"),
            Dialect::Responses => call
                .header("authorization", "Bearer test-key")
                .header("session-id", &self.id),
        }
    }

    /// The body that the client sends now.
    #[must_use]
    pub fn body(&self) -> Body {
        Body::of(self)
    }
}

/// Source code that no compressor makes smaller, of at least so many bytes: a line break, a tab or a quote every 20 bytes, and no line twice.
#[must_use]
pub fn incompressible_source(seed: usize, bytes: usize) -> String {
    let mut text = String::new();
    let mut state = seed as u64 + 1;
    let mut word = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        format!("{:x}", state >> 40)
    };
    while text.len() < bytes {
        text.push_str(&format!(
            "\tlet {} = \"{}\".{}({})?;\n",
            word(),
            word(),
            word(),
            word()
        ));
    }
    text
}

/// Text as a tool prints it that compresses well: numbered source lines with much repetition.
#[must_use]
pub fn listing(seed: usize, bytes: usize) -> String {
    let mut text = String::new();
    let mut line = 1;
    while text.len() < bytes {
        let name = format!("value_{seed}_{}", line % 7);
        text.push_str(&format!(
            "{line:>6}\u{2192}    if {name} is None:\n{:>6}\u{2192}        raise ValueError(\"{name} \u{e9}s missing\\t\")\n{:>6}\u{2192}\n",
            line + 1,
            line + 2,
        ));
        line += 3;
    }
    text
}
