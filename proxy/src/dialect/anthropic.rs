//! The dialect of Anthropic's Messages API.

use std::borrow::Cow;
use std::time::Duration;

use headroom_shared::contract::usage::Usage;
use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;

use super::{
    CACHE_CONTROL, Dialect, Provider, Purpose, count, is_from_code, search_results, tool_texts,
    user_texts,
};
use crate::scan::{
    CacheLife, Call, Grammar, MIN_TOOL_BYTES, MIN_USER_BYTES, ParsedMessage, RawMessage, member,
    string_member,
};

/// Life of what a marker without `ttl` makes the provider cache.
const SHORT: Duration = Duration::from_secs(5 * 60);
/// Life of what a marker with `"ttl":"1h"` makes it cache.
const LONG: Duration = Duration::from_secs(60 * 60);

#[derive(Debug)]
pub(super) struct Messages;

impl Grammar for Messages {
    fn name(&self) -> &'static str {
        "anthropic.messages"
    }

    fn messages_member(&self) -> &'static [u8] {
        b"messages"
    }

    fn drops_blocks(&self, member: &[u8], value: &[u8]) -> bool {
        member == b"context_management" && !edits_only_thinking(value)
    }

    fn history_members(&self) -> &'static [&'static [u8]] {
        &[]
    }

    fn asks_thinking(&self, member: &[u8], value: &[u8]) -> bool {
        member == b"thinking" && value != b"null" && memmem::find(value, b"\"disabled\"").is_none()
    }

    fn parse_message(&self, message: &RawMessage<'_>, body: &[u8]) -> ParsedMessage {
        let mut parsed = ParsedMessage {
            from_model: message.role == b"assistant",
            ..ParsedMessage::default()
        };
        for part in &message.parts {
            match (message.role, part.kind) {
                (_, b"thinking" | b"redacted_thinking") => parsed.thinking = true,
                (_, b"compaction") => parsed.compacts = true,
                (b"user", b"tool_result") => {
                    let call = string_member(&part.others, "tool_use_id", body);
                    parsed.blocks.extend(tool_texts(part, call.as_ref()));
                    let inner = search_results::inner_texts(part, body);
                    let before = parsed.blocks.len();
                    let inner = inner.filter(|text| text.span.len() >= MIN_TOOL_BYTES);
                    parsed.blocks.extend(inner.map(|text| (text, call.clone())));
                    if parsed.blocks.len() > before {
                        parsed.blocks.sort_by_key(|(text, _)| text.span.start);
                    }
                }
                (b"user", b"search_result") => {
                    let texts = search_results::texts(part, body).into_iter();
                    let texts = texts.filter(|text| text.span.len() >= MIN_USER_BYTES);
                    parsed.blocks.extend(texts.map(|text| (text, None)));
                }
                (b"user", b"text") => parsed.blocks.extend(user_texts(part)),
                (b"assistant", b"tool_use") => parsed.calls.extend(call(part, body)),
                _ => {}
            }
        }
        parsed
    }

    fn thinks_by_default(&self) -> bool {
        true
    }

    fn cache_markers(&self) -> &'static [&'static [u8]] {
        &[CACHE_CONTROL]
    }

    fn cached_settings(&self) -> &'static [&'static [u8]] {
        &[
            b"model",
            b"tools",
            b"system",
            b"tool_choice",
            b"thinking",
            b"output_config",
        ]
    }

    fn cache_life(&self, markers: &[&[u8]]) -> CacheLife {
        let long = |marker: &&[u8]| memmem::find(marker, b"\"1h\"").is_some();
        match markers {
            [] => CacheLife::None,
            _ if markers.iter().any(long) => CacheLife::Marked(LONG),
            _ => CacheLife::Marked(SHORT),
        }
    }
}

impl Dialect for Messages {
    fn path(&self) -> &'static str {
        "/v1/messages"
    }

    fn other_paths(&self) -> &'static [(&'static str, Purpose)] {
        &[("/v1/messages/count_tokens", Purpose::Count)]
    }

    fn provider(&self) -> Provider {
        Provider::Anthropic
    }

    fn usage(&self, document: &Value) -> Option<Usage> {
        let usage = document
            .pointer("/message/usage")
            .or_else(|| document.get("usage"))?;
        // `message_start` states the input, `message_delta` the output.
        usage
            .get("input_tokens")
            .or_else(|| usage.get("output_tokens"))?;
        Some(stated_usage(usage))
    }
}

/// What a `usage` states. It counts cached input apart.
pub(crate) fn stated_usage(usage: &Value) -> Usage {
    let read = count(usage, "/cache_read_input_tokens");
    let written = count(usage, "/cache_creation_input_tokens");
    Usage {
        read,
        written,
        written_hour: count(usage, "/cache_creation/ephemeral_1h_input_tokens"),
        input: count(usage, "/input_tokens")
            .saturating_add(read)
            .saturating_add(written),
        output: count(usage, "/output_tokens"),
    }
}

/// A request for edits of its context by the provider.
#[derive(Deserialize)]
struct ContextManagement<'a> {
    #[serde(borrow, default)]
    edits: Vec<Edit<'a>>,
}

#[derive(Deserialize)]
struct Edit<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// Whether all edits of a `context_management` clear thinking: that is no block. What is not known may drop messages.
fn edits_only_thinking(value: &[u8]) -> bool {
    let clears_thinking = |edit: &Edit<'_>| edit.kind.starts_with("clear_thinking_");
    if value == b"null" {
        return true;
    }
    let asked = value
        .starts_with(b"{")
        .then(|| serde_json::from_slice::<ContextManagement<'_>>(value));
    matches!(asked, Some(Ok(asked)) if asked.edits.iter().all(clears_thinking))
}

fn call(part: &crate::scan::Part<'_>, body: &[u8]) -> Option<Call> {
    Some(Call {
        id: string_member(&part.others, "id", body)?,
        name: string_member(&part.others, "name", body)?,
        input: member(&part.others, "input")?,
        is_from_code: is_from_code(&part.others, body),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_edits_that_drop_blocks_do() {
        for (value, drops) in [
            ("null", false),
            ("{}", false),
            (r#"{"edits":[]}"#, false),
            (
                r#"{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]}"#,
                false,
            ),
            (r#"{"edits":[{"type":"clear_tool_uses_20250919"}]}"#, true),
            (
                r#"{"edits":[{"type":"clear_thinking_20251015"},{"type":"clear_tool_uses_20250919"}]}"#,
                true,
            ),
            (r#"{"edits":[{"type":"compact_20260112"}]}"#, true),
            (r#"{"edits":[{"type":"unheard_of"}]}"#, true),
            (r#"{"edits":[{}]}"#, true),
            (r#"{"edits":{}}"#, true),
            ("[]", true),
            ("1", true),
        ] {
            let dropped = Messages.drops_blocks(b"context_management", value.as_bytes());
            assert_eq!(dropped, drops, "{value}");
        }
        assert!(!Messages.drops_blocks(b"thinking", b"{}"));
    }
}
