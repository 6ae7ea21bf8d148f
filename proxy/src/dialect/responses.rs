//! The dialect of `OpenAI`'s Responses API.

use std::ops::Range;

use headroom_shared::contract::usage::Usage;
use serde_json::Value;
use smallvec::SmallVec;

use super::{
    Dialect, MessageTypes, OPENAI_MARKERS, Provider, Purpose, automatic_life, count, is_from_code,
    tool_texts, user_texts,
};
use crate::scan::{
    CacheLife, Call, Grammar, MIN_TOOL_BYTES, ParsedMessage, Part, RawMessage, Text, member,
    only_member, string_member,
};

/// Items that a client appends, beside messages and outputs. All others of a type that is not known count as the model's.
const APPENDED: [&[u8]; 5] = [
    TOOLS,
    b"compaction_trigger",
    b"configuration_update",
    REFERENCE,
    b"mcp_approval_response",
];

/// The item that offers the model tools beside those of the request.
const TOOLS: &[u8] = b"additional_tools";

/// The item that names another one, which the provider has stored.
const REFERENCE: &[u8] = b"item_reference";

/// Items that stand for what is before them.
const COMPACTIONS: [&[u8]; 3] = [b"compaction", b"compaction_summary", b"context_compaction"];

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
            kind if kind.ends_with(b"_output") && is_from_code(&item.others, body) => {}
            b"function_call_output"
            | b"custom_tool_call_output"
            | b"local_shell_call_output"
            | b"apply_patch_call_output" => {
                let call = call_id(item, body);
                let bare = item.parts.iter().filter(|part| part.is_bare_text);
                parsed
                    .blocks
                    .extend(bare.flat_map(|part| tool_texts(part, call.as_ref())));
            }
            b"shell_call_output" => {
                let call = call_id(item, body);
                let texts = item.parts.iter().flat_map(|part| streams(part, body));
                parsed.blocks.extend(texts.map(|text| (text, call.clone())));
            }
            kind if APPENDED.contains(&kind) => {
                parsed.is_appended = true;
                parsed.is_reference = kind == REFERENCE;
                parsed.tools = member(&item.others, "tools").filter(|_| kind == TOOLS);
                // What it names may be reasoning.
                parsed.thinking = parsed.is_reference;
            }
            kind => {
                parsed.from_model = !kind.ends_with(b"_output");
                parsed.compacts = COMPACTIONS.contains(&kind);
                parsed.thinking = parsed.compacts || kind == b"reasoning";
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

    fn cached_settings(&self) -> &'static [&'static [u8]] {
        &[b"model", b"tools", b"instructions"]
    }

    fn cache_life(&self, markers: &[&[u8]]) -> CacheLife {
        automatic_life(markers)
    }
}

impl Dialect for Responses {
    fn path(&self) -> &'static str {
        "/v1/responses"
    }

    fn other_paths(&self) -> &'static [(&'static str, Purpose)] {
        &[
            ("/v1/responses/compact", Purpose::Compaction),
            ("/v1/responses/input_tokens", Purpose::Count),
        ]
    }

    fn provider(&self) -> Provider {
        Provider::OpenAi
    }

    fn message_types(&self) -> Option<&'static MessageTypes> {
        Some(&MessageTypes {
            request: "response.create",
            begun: "response.created",
            ended: &[
                "response.completed",
                "response.incomplete",
                "response.failed",
                "response.cancelled",
                "error",
            ],
            refusals: &["response.incomplete", "response.failed", "error"],
            again: &[
                "rate_limit_exceeded",
                "server_error",
                "server_is_overloaded",
                "slow_down",
                "vector_store_timeout",
                "websocket_connection_limit_reached",
            ],
        })
    }

    fn usage(&self, document: &Value) -> Option<Usage> {
        let usage = document
            .pointer("/response/usage")
            .or_else(|| document.get("usage"))?;
        usage.get("input_tokens")?;
        Some(Usage {
            read: count(usage, "/input_tokens_details/cached_tokens"),
            written: count(usage, "/input_tokens_details/cache_write_tokens"),
            written_hour: 0,
            input: count(usage, "/input_tokens"),
            output: count(usage, "/output_tokens"),
        })
    }
}

/// What a command printed to its two streams, each long enough to be a block, in the order of the body.
fn streams(part: &Part<'_>, body: &[u8]) -> SmallVec<[Text; 2]> {
    let stream = |(inner, name)| {
        let value = only_member(&part.others, name)?;
        Text::of_value(&value, body, (part.index, inner))
    };
    let streams = [(0, "stdout"), (1, "stderr")].into_iter();
    let streams = streams.filter_map(stream);
    let mut streams: SmallVec<[Text; 2]> = streams
        .filter(|text| text.span.len() >= MIN_TOOL_BYTES)
        .collect();
    streams.sort_by_key(|text| text.span.start);
    streams
}

/// The tool call in an item. The tools that the provider defines are named by the item's type.
fn call(item: &RawMessage<'_>, body: &[u8]) -> Option<Call> {
    let of_type = |input: &str| Some((item.kind_span(), member(&item.others, input)?));
    let (name, input) = match item.kind {
        b"local_shell_call" | b"shell_call" => of_type("action")?,
        b"apply_patch_call" => of_type("operation")?,
        _ => {
            let input = member(&item.others, "arguments");
            let input = input.or_else(|| member(&item.others, "input"))?;
            (string_member(&item.others, "name", body)?, input)
        }
    };
    Some(Call {
        id: call_id(item, body)?,
        name,
        input,
        is_from_code: is_from_code(&item.others, body),
    })
}

/// The id of the call that an item is, or whose output it is. OpenAI's reference has it as the `id` of a local shell's output.
fn call_id(item: &RawMessage<'_>, body: &[u8]) -> Option<Range<usize>> {
    string_member(&item.others, "call_id", body).or_else(|| string_member(&item.others, "id", body))
}
