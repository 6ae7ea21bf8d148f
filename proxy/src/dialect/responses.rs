//! The dialect of `OpenAI`'s Responses API.

use headroom_shared::contract::record::CacheUsage;
use serde_json::Value;

use super::{Dialect, OPENAI_MARKERS, Provider, automatic_life, count, tool_texts, user_texts};
use crate::scan::{CacheLife, Call, Grammar, ParsedMessage, RawMessage, member, string_member};

/// Items that a client appends, beside messages and outputs. All others of a type that is not known count as the model's.
const FROM_CLIENT: [&[u8]; 5] = [
    b"additional_tools",
    b"compaction_trigger",
    b"configuration_update",
    b"item_reference",
    b"mcp_approval_response",
];

#[derive(Debug)]
pub(super) struct Responses;

impl Grammar for Responses {
    fn name(&self) -> &'static str {
        "openai.responses"
    }

    fn messages_member(&self) -> &'static [u8] {
        b"input"
    }

    fn drops_blocks(&self, member: &[u8], value: &[u8]) -> bool {
        member == b"truncation" && value == b"\"auto\""
            || member == b"context_management" && value != b"null"
    }

    fn history_members(&self) -> &'static [&'static [u8]] {
        &[b"previous_response_id", b"conversation"]
    }

    fn asks_thinking(&self, member: &[u8], value: &[u8]) -> bool {
        member == b"reasoning" && value != b"null"
    }

    fn parse_message(&self, item: &RawMessage<'_>, body: &[u8]) -> ParsedMessage {
        let mut parsed = ParsedMessage::default();
        match item.kind {
            b"message" | b"" if item.role == b"assistant" => parsed.from_model = true,
            b"message" | b"" if item.role == b"user" => {
                parsed.blocks.extend(item.parts.iter().flat_map(user_texts));
            }
            b"message" | b"" => {}
            b"function_call_output" | b"custom_tool_call_output" | b"local_shell_call_output" => {
                let call = string_member(&item.others, "call_id", body);
                let bare = item.parts.iter().filter(|part| part.is_bare_text());
                parsed
                    .blocks
                    .extend(bare.flat_map(|part| tool_texts(part, call.as_ref())));
            }
            kind if FROM_CLIENT.contains(&kind) => {}
            kind => {
                parsed.from_model = !kind.ends_with(b"_output");
                parsed.thinking = matches!(kind, b"reasoning" | b"compaction");
                parsed.compacts = kind == b"compaction";
                parsed.calls.extend(call(item, body));
            }
        }
        parsed
    }

    fn thinks_by_default(&self) -> bool {
        true
    }

    fn cache_markers(&self) -> &'static [&'static [u8]] {
        &OPENAI_MARKERS
    }

    fn cache_life(&self, markers: &[&[u8]]) -> CacheLife {
        automatic_life(markers)
    }
}

impl Dialect for Responses {
    fn path(&self) -> &'static str {
        "/v1/responses"
    }

    fn compaction_path(&self) -> Option<&'static str> {
        Some("/v1/responses/compact")
    }

    fn provider(&self) -> Provider {
        Provider::OpenAi
    }

    fn usage(&self, document: &Value) -> Option<CacheUsage> {
        let usage = document
            .pointer("/response/usage")
            .or_else(|| document.get("usage"))?;
        usage.get("input_tokens")?;
        Some(CacheUsage {
            read: count(usage, "/input_tokens_details/cached_tokens"),
            written: count(usage, "/input_tokens_details/cache_write_tokens"),
            total: count(usage, "/input_tokens"),
        })
    }
}

fn call(item: &RawMessage<'_>, body: &[u8]) -> Option<Call> {
    Some(Call {
        id: string_member(&item.others, "call_id", body)?,
        name: string_member(&item.others, "name", body)?,
        input: member(&item.others, "arguments").or_else(|| member(&item.others, "input"))?,
    })
}
