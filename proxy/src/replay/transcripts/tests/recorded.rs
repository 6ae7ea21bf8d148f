//! Recorded sessions.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{check_anthropic, each_request, outline, read_lines};
use crate::replay::transcripts::{Reader, Skipped, find};

#[test]
fn a_recorded_session_is_read_as_it_stands() {
    let mut reader = Reader::default();
    let sessions = read_lines(
        &mut reader,
        &[
            json!({"k": "meta", "id": "a", "format": "anthropic.messages", "client": "claude-code", "prefix_tokens_est": 21_000, "tools": []}),
            json!({"k": "msg", "m": {"role": "user", "content": "ask"}}),
            json!({"k": "turn", "t": 1.5, "n": 1, "model": "claude-opus-4-6", "usage": {"input_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 7, "output_tokens": 2, "cache_creation": {"ephemeral_1h_input_tokens": 6}}}),
            json!({"k": "msg", "m": {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": "s"}]}}),
            json!({"k": "reset", "keep": 0}),
            json!({"k": "msg", "m": {"role": "user", "content": "summary"}}),
            json!({"k": "turn", "t": 9, "n": 1, "model": "claude-opus-4-6", "usage": null}),
        ],
    );
    let [session] = &*sessions else { panic!() };
    assert_eq!((&*session.id, session.client), ("a", "Claude Code"));
    assert_eq!(
        (session.path, session.head_tokens),
        ("/v1/messages", 21_000)
    );
    assert_eq!(
        outline(session),
        [
            r#"{"content":"ask","role":"user"}"#,
            "ask 1500",
            r#"{"content":[{"signature":"s","thinking":"","type":"thinking"}],"role":"assistant"}"#,
            "keep 0",
            r#"{"content":"summary","role":"user"}"#,
            "ask 9000",
        ]
    );
    let mut requests = Vec::new();
    each_request(session, |request, _| requests.push(request.clone()));
    let usage = requests[0].usage.unwrap();
    assert_eq!((usage.read, usage.written, usage.written_hour), (5, 7, 6));
    assert_eq!((usage.input, usage.output), (15, 2));
    assert!(requests[0].thinking && !requests[1].thinking);
    assert_eq!(requests[1].usage, None);
}

#[test]
fn tools_and_instructions_make_the_head_where_the_recording_does_not_state_it() {
    let mut reader = Reader::default();
    let sessions = read_lines(
        &mut reader,
        &[
            json!({"k": "meta", "id": "a", "format": "openai.chat", "client": "tau-bench airline", "tools": [{"name": "x".repeat(2_000)}], "instructions": "y".repeat(850)}),
            json!({"k": "msg", "m": {"role": "user", "content": "ask"}}),
            json!({"k": "turn", "t": null, "n": 1, "model": null, "usage": {"prompt_tokens": 9, "completion_tokens": 2, "cached_tokens": 4}}),
        ],
    );
    assert_eq!(sessions[0].head_tokens, 1_005);
    assert_eq!(sessions[0].path, "/v1/chat/completions");
    each_request(&sessions[0], |request, _| {
        let usage = request.usage.unwrap();
        assert_eq!((usage.read, usage.input, usage.output), (4, 9, 2));
        assert_eq!((request.at_ms, &*request.model), (0, ""));
    });
}

#[test]
#[ignore = "needs the recorded sessions beside the checkout: scripts/test runs it where they are"]
fn recorded_sessions_are_read_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/sessions");
    let (mut reader, mut skipped) = (Reader::default(), Skipped::default());
    let files = find(&[folder], &mut skipped).unwrap();
    assert_eq!(files.len(), 32);
    for file in &files {
        let sessions = reader.read(file).unwrap();
        let [session] = &*sessions else { panic!() };
        let lines = fs::read_to_string(file).unwrap();
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut turns = lines.filter(|line| line["k"] == "turn");
        each_request(session, |request, messages| {
            let turn = turns.next().unwrap();
            assert_eq!(turn["n"], messages.len());
            assert_eq!(request.usage.is_some(), !turn["usage"].is_null());
            if session.path == "/v1/messages" {
                check_anthropic(messages);
            }
        });
        assert_eq!(turns.count(), 0, "{}", file.display());
    }
    assert!(skipped.files.is_empty() && reader.skipped.lines.is_empty());
}
