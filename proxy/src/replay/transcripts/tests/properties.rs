//! What holds whatever the lines say.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{check_anthropic, each_request, read_lines, read_text};
use crate::replay::transcripts::Reader;

/// Some of these stand for what a line says; the same name is the same entry, message or call.
type Names = (u8, u8, u8, u8, u8);

/// A line of Claude Code's.
fn entry((kind, uuid, parent, message, call): Names) -> Value {
    // A provider never gives the id of a call to another message.
    let call = format!("c{message}-{call}");
    let result = json!({"type": "tool_result", "tool_use_id": call, "content": "it"});
    let text = json!({"type": "text", "text": "words"});
    let (kind, content) = match kind {
        0 => ("user", json!("words")),
        1 => ("user", json!([result])),
        2 => ("user", json!([text, result])),
        3 => ("assistant", json!([text])),
        4 => (
            "assistant",
            json!([{"type": "tool_use", "id": call, "name": "x", "input": {}}]),
        ),
        5 => (
            "assistant",
            json!([{"type": "thinking", "thinking": "", "signature": ""}]),
        ),
        6 => ("system", Value::Null),
        _ => ("progress", json!([])),
    };
    let parent = (parent > 0).then(|| format!("u{parent}"));
    json!({
        "type": kind, "subtype": "compact_boundary", "sessionId": "s",
        "uuid": (uuid > 0).then(|| format!("u{uuid}")),
        "parentUuid": parent,
        "isCompactSummary": uuid == 1, "isSidechain": uuid % 7 == 6,
        "message": {"id": format!("m{message}"), "model": "claude-opus-4-6", "content": content},
        "compactMetadata": {"preservedSegment": {"headUuid": format!("u{message}"), "anchorUuid": parent.unwrap_or_default()}},
    })
}

/// A line of Codex'.
fn rollout_line((kind, at, role, message, call): Names) -> Value {
    let text = json!([{"type": "input_text", "text": format!("words {message}")}]);
    let role = ["user", "assistant", "developer"][usize::from(role) % 3];
    let message = json!({"type": "message", "role": role, "content": text});
    let (kind, payload) = match kind {
        0 => ("response_item", message),
        1 => (
            "response_item",
            json!({"type": "function_call", "call_id": call}),
        ),
        2 => (
            "response_item",
            json!({"type": "function_call_output", "call_id": call}),
        ),
        3 => ("response_item", json!({"type": "reasoning"})),
        4 => ("compacted", json!({"message": "summary"})),
        5 => ("compacted", json!({"replacement_history": [message]})),
        6 => (
            "event_msg",
            json!({"type": "thread_rolled_back", "num_turns": call}),
        ),
        _ => (
            "event_msg",
            json!({"type": "token_count", "info": {"total_token_usage": {"total_tokens": call}, "last_token_usage": {"input_tokens": at}}}),
        ),
    };
    json!({"timestamp": format!("1970-01-01T00:00:{at:02}Z"), "type": kind, "payload": payload})
}

fn names() -> impl Strategy<Value = Vec<Names>> {
    prop::collection::vec((0_u8..8, 0_u8..40, 0_u8..40, 0_u8..20, 0_u8..6), 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _: Option<_> = read_text(&mut Reader::default(), &bytes).ok();
    }

    #[test]
    fn no_change_of_a_byte_makes_it_panic(all in names(), codex: bool, at: prop::sample::Index, byte: u8) {
        let write = if codex { rollout_line } else { entry };
        let lines = all.into_iter().map(|names| format!("{}\n", write(names)));
        let mut text = lines.collect::<String>().into_bytes();
        if !text.is_empty() {
            let at = at.index(text.len());
            text[at] = byte;
        }
        let _: Option<_> = read_text(&mut Reader::default(), &text).ok();
    }

    #[test]
    fn every_request_of_claude_code_is_one_that_the_provider_takes(all in names()) {
        let mut lines = vec![entry((0, 1, 0, 0, 0))];
        lines.extend(all.into_iter().map(entry));
        for session in read_lines(&mut Reader::default(), &lines) {
            each_request(&session, |_, messages| check_anthropic(messages));
        }
    }

    #[test]
    fn every_request_of_codex_has_messages(all in names()) {
        let mut lines = vec![rollout_line((0, 0, 0, 0, 0))];
        lines.extend(all.into_iter().map(rollout_line));
        for session in read_lines(&mut Reader::default(), &lines) {
            each_request(&session, |_, messages| assert!(!messages.is_empty()));
        }
    }
}
