//! The dialect of `OpenAI`'s Chat Completions API.

use headroom_shared::contract::usage::Usage;
use serde_json::Value;

use super::{Dialect, OPENAI_MARKERS, Provider, automatic_life, count, tool_texts, user_texts};
use crate::scan::{
    CacheLife, Call, Cursor, Grammar, ParsedMessage, RawMessage, member, string_member,
};

/// Members of an assistant's message in which gateways carry a model's thinking.
const THINKING: [&str; 4] = [
    "thinking_blocks",
    "reasoning_content",
    "reasoning_details",
    "reasoning",
];

#[derive(Debug)]
pub(super) struct Completions;

impl Grammar for Completions {
    fn name(&self) -> &'static str {
        "openai.chat"
    }

    fn messages_member(&self) -> &'static [u8] {
        b"messages"
    }

    fn drops_blocks(&self, _member: &[u8], _value: &[u8]) -> bool {
        false
    }

    fn history_members(&self) -> &'static [&'static [u8]] {
        &[]
    }

    fn asks_thinking(&self, _member: &[u8], _value: &[u8]) -> bool {
        false
    }

    fn parse_message(&self, message: &RawMessage<'_>, body: &[u8]) -> ParsedMessage {
        let mut parsed = ParsedMessage {
            from_model: message.role == b"assistant",
            ..ParsedMessage::default()
        };
        match message.role {
            b"tool" | b"function" => {
                let call = string_member(&message.others, "tool_call_id", body);
                let bare = message.parts.iter().filter(|part| part.is_bare_text);
                parsed
                    .blocks
                    .extend(bare.flat_map(|part| tool_texts(part, call.as_ref())));
            }
            b"user" => parsed
                .blocks
                .extend(message.parts.iter().flat_map(user_texts)),
            b"assistant" => {
                parsed.thinking = THINKING
                    .iter()
                    .any(|name| member(&message.others, name).is_some());
                parsed.calls = calls(message, body);
            }
            _ => {}
        }
        parsed
    }

    fn thinks_by_default(&self) -> bool {
        false
    }

    fn cache_markers(&self) -> &'static [&'static [u8]] {
        &OPENAI_MARKERS
    }

    fn cached_settings(&self) -> &'static [&'static [u8]] {
        &[b"model", b"tools"]
    }

    fn cache_life(&self, markers: &[&[u8]]) -> CacheLife {
        automatic_life(markers)
    }
}

impl Dialect for Completions {
    fn path(&self) -> &'static str {
        "/v1/chat/completions"
    }

    fn provider(&self) -> Provider {
        Provider::OpenAi
    }

    fn usage(&self, document: &Value) -> Option<Usage> {
        let usage = document.get("usage").filter(|usage| usage.is_object())?;
        Some(Usage {
            read: count(usage, "/prompt_tokens_details/cached_tokens"),
            written: count(usage, "/prompt_tokens_details/cache_write_tokens"),
            written_hour: 0,
            input: count(usage, "/prompt_tokens"),
            output: count(usage, "/completion_tokens"),
        })
    }
}

/// The calls in `tool_calls`; none where it is not what it should be.
fn calls(message: &RawMessage<'_>, body: &[u8]) -> Vec<Call> {
    let mut calls = Vec::new();
    let Some(span) = member(&message.others, "tool_calls") else {
        return calls;
    };
    let read = Cursor::at(body, span.start).array(|cursor| {
        let (mut id, mut function) = (None, Vec::new());
        cursor.object(|cursor, name| {
            match name {
                b"id" => id = Some(cursor.value()?),
                b"function" => cursor.object(|cursor, name| {
                    function.push((name, cursor.value()?));
                    Ok(())
                })?,
                _ => {
                    cursor.value()?;
                }
            }
            Ok(())
        })?;
        let named = string_member(&function, "name", body).zip(member(&function, "arguments"));
        if let (Some(id), Some((name, input))) = (id.filter(|id| body[id.start] == b'"'), named) {
            calls.push(Call {
                id: id.start + 1..id.end - 1,
                name,
                input,
                is_from_code: false,
            });
        }
        Ok(())
    });
    if read.is_err() {
        calls.clear();
    }
    calls
}
