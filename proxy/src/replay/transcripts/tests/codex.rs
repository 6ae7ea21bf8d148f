//! Rollouts of Codex.

use serde_json::{Value, json};

use super::{each_request, outline, read_lines, read_text};
use crate::replay::transcripts::{Reader, Request, Session};

fn line(seconds: u64, kind: &str, payload: Value) -> Value {
    json!({"timestamp": format!("1970-01-01T00:00:{seconds:02}.000Z"), "type": kind, "payload": payload})
}

fn begin(over: Value) -> Value {
    let mut meta = json!({"id": "thread", "timestamp": "1970-01-01T00:00:00Z", "cwd": "/", "originator": "codex_cli_rs", "source": "cli", "instructions": null});
    let over = over.as_object().unwrap().clone();
    meta.as_object_mut().unwrap().extend(over);
    line(0, "session_meta", meta)
}

fn message(role: &str, text: &str) -> Value {
    json!({"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]})
}

fn item(seconds: u64, item: Value) -> Value {
    line(seconds, "response_item", item)
}

fn call(id: &str) -> Value {
    json!({"type": "function_call", "name": "shell", "arguments": "{}", "call_id": id})
}

fn output(id: &str) -> Value {
    json!({"type": "function_call_output", "call_id": id, "output": "it"})
}

fn event(payload: Value) -> Value {
    line(59, "event_msg", payload)
}

fn usage(input: u64, total: u64) -> Value {
    event(json!({"type": "token_count", "rate_limits": {}, "info": {
        "total_token_usage": {"total_tokens": total},
        "last_token_usage": {"input_tokens": input, "cached_input_tokens": 10, "output_tokens": 3, "reasoning_output_tokens": 1},
    }}))
}

fn read(lines: &[Value]) -> Session {
    let mut reader = Reader::default();
    let mut sessions = read_lines(&mut reader, lines);
    assert!(reader.skipped.lines.is_empty());
    assert_eq!(sessions.len(), 1);
    sessions.remove(0)
}

fn requests(session: &Session) -> Vec<Request> {
    let mut requests = Vec::new();
    each_request(session, |request, _| requests.push(request.clone()));
    requests
}

/// What happens in a session, an event a line: of an item the text, the id of its call, or its type.
fn short(session: &Session) -> Vec<String> {
    let lines = outline(session).into_iter();
    lines
        .map(|line| {
            let Ok(item) = serde_json::from_str::<Value>(&line) else {
                return line;
            };
            let text = item["content"][0]["text"].as_str();
            let text = text.or(item["call_id"].as_str());
            text.or(item["type"].as_str()).unwrap().to_owned()
        })
        .collect()
}

#[test]
fn a_request_stands_before_what_the_model_made() {
    let session = read(&[
        begin(json!({})),
        item(1, message("developer", "rules")),
        item(1, message("user", "<environment_context>here")),
        line(
            1,
            "turn_context",
            json!({"cwd": "/", "model": "gpt-5.1-codex", "effort": "high"}),
        ),
        item(2, message("user", "ask")),
        event(json!({"type": "user_message", "message": "ask"})),
        event(json!({"type": "token_count", "info": null, "rate_limits": {}})),
        item(
            3,
            json!({"type": "reasoning", "summary": [], "content": null, "encrypted_content": "x"}),
        ),
        item(4, call("c1")),
        usage(9_000, 9_003),
        item(5, output("c1")),
        item(6, json!({"type": "ghost_snapshot", "ghost_commit": {}})),
        usage(9_000, 9_003),
        item(7, message("assistant", "done")),
        usage(9_100, 18_106),
        line(8, "of a later version", json!({"type": "message"})),
    ]);
    assert_eq!((&*session.id, session.client), ("thread", "Codex"));
    assert_eq!(session.path, "/v1/responses");
    assert_eq!(
        short(&session),
        [
            "rules",
            "<environment_context>here",
            "ask",
            "ask 2000",
            "reasoning",
            "c1",
            "c1",
            "ask 5000",
            "done",
        ]
    );
    let requests = requests(&session);
    assert_eq!(requests[0].model, "gpt-5.1-codex");
    assert!(requests[0].thinking && !requests[1].thinking);
    let usages: Vec<_> = requests
        .iter()
        .map(|request| request.usage.unwrap())
        .collect();
    assert_eq!(
        (usages[0].input, usages[0].read, usages[0].output),
        (9_000, 10, 3)
    );
    assert_eq!(usages[1].input, 9_100);
    assert!((8_850..9_000).contains(&session.head_tokens));
}

#[test]
fn outputs_between_the_calls_of_a_response_are_no_request() {
    let session = read(&[
        begin(json!({})),
        item(1, message("user", "ask")),
        item(2, message("assistant", "say")),
        usage(100, 103),
        item(3, message("user", "more")),
        item(4, call("c1")),
        item(5, output("c1")),
        item(6, call("c2")),
        item(7, output("c2")),
        usage(200, 306),
        item(8, message("assistant", "done")),
        usage(300, 609),
    ]);
    assert_eq!(
        short(&session),
        [
            "ask", "ask 1000", "say", "more", "ask 3000", "c1", "c1", "c2", "c2", "ask 7000",
            "done"
        ]
    );
    let usages = requests(&session)
        .into_iter()
        .map(|request| request.usage.unwrap().input);
    assert_eq!(usages.collect::<Vec<_>>(), [100, 200, 300]);
}

#[test]
fn a_compaction_puts_other_items_in_the_place_of_the_history() {
    let turn = |seconds: u64, prompt: &str| {
        [
            item(seconds, message("user", prompt)),
            item(seconds + 1, message("assistant", "say")),
        ]
    };
    let context = item(1, message("user", "# AGENTS.md instructions"));
    let replaced = line(
        20,
        "compacted",
        json!({"message": "", "replacement_history": [
            message("user", "one"), {"type": "compaction", "encrypted_content": "x"}, {"type": "ghost_snapshot"},
        ]}),
    );
    let lines = [
        &[begin(json!({})), context.clone()][..],
        &turn(2, "one"),
        &[replaced],
        &turn(30, "two"),
    ];
    let before = [
        "# AGENTS.md instructions",
        "one",
        "ask 2000",
        "say",
        "keep 0",
    ];
    assert_eq!(
        short(&read(&lines.concat())),
        [
            &before[..],
            &["one", "compaction", "two", "ask 30000", "say"]
        ]
        .concat()
    );

    let summary = line(20, "compacted", json!({"message": "the \"summary\""}));
    let lines = [
        &[begin(json!({})), context][..],
        &turn(2, "one"),
        &[summary],
        &turn(30, "two"),
    ];
    let after = [
        "# AGENTS.md instructions",
        "one",
        "the \"summary\"",
        "two",
        "ask 30000",
        "say",
    ];
    assert_eq!(
        short(&read(&lines.concat())),
        [&before[..], &after].concat()
    );
}

#[test]
fn prompts_that_are_taken_back_are_left_out_with_what_follows() {
    let back = |prompts: usize| event(json!({"type": "thread_rolled_back", "num_turns": prompts}));
    let session = read(&[
        begin(json!({})),
        item(1, message("user", "<environment_context>")),
        item(1, message("user", "one")),
        item(2, message("assistant", "1")),
        item(3, message("user", "two")),
        item(4, message("assistant", "2")),
        back(1),
        item(5, message("user", "three")),
        item(6, message("assistant", "3")),
        back(7),
        item(7, message("user", "four")),
        item(8, message("assistant", "4")),
    ]);
    assert_eq!(
        short(&session),
        [
            "<environment_context>",
            "one",
            "ask 1000",
            "1",
            "two",
            "ask 3000",
            "2",
            "keep 3",
            "three",
            "ask 5000",
            "3",
            "keep 1",
            "four",
            "ask 7000",
            "4",
        ]
    );
}

#[test]
fn a_fork_does_not_ask_again_what_it_repeats() {
    for fork in [
        json!({"forked_from_id": "other"}),
        json!({"source": {"subagent": {"thread_spawn": {}}}}),
    ] {
        let session = read(&[
            begin(fork),
            item(0, message("user", "one")),
            item(0, message("assistant", "1")),
            line(0, "event_msg", usage(100, 103)["payload"].clone()),
            item(5, message("user", "two")),
            item(6, message("assistant", "2")),
            usage(200, 306),
        ]);
        assert_eq!(short(&session), ["one", "1", "two", "ask 5000", "2"]);
        assert_eq!(requests(&session)[0].usage.unwrap().input, 200);
    }
}

#[test]
fn items_of_older_rollouts_stand_bare() {
    let session = read(&[
        json!({"id": "old", "timestamp": "1970-01-01T00:00:09.000Z", "instructions": null, "git": {}}),
        json!({"record_type": "state"}),
        message("user", "ask"),
        json!({"type": "reasoning", "id": "rs", "summary": []}),
        call("c1"),
        output("c1"),
        json!({"record_type": "state"}),
        message("assistant", "done"),
    ]);
    assert_eq!(session.id, "old");
    assert_eq!(
        short(&session),
        [
            "ask",
            "ask 9000",
            "reasoning",
            "c1",
            "c1",
            "ask 9000",
            "done"
        ]
    );
    assert_eq!(session.head_tokens, 20_000);
}

#[test]
fn compressed_rollouts_are_read() {
    let lines = [
        begin(json!({})),
        item(1, message("user", "ask")),
        item(2, message("assistant", "done")),
    ];
    let text = lines.map(|line| format!("{line}\n")).concat();
    let compressed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    let mut reader = Reader::default();
    let sessions = read_text(&mut reader, &compressed).unwrap();
    assert_eq!(short(&sessions[0]), ["ask", "ask 1000", "done"]);
    let cut = read_text(&mut reader, &compressed[..compressed.len() - 9]).unwrap_err();
    assert_eq!(cut.to_string(), "can't be read");
}

#[test]
fn a_rollout_of_many_compactions_ends() {
    let mut lines = vec![
        begin(json!({})),
        item(1, message("user", &"long ".repeat(15_000))),
    ];
    lines.extend((0..2_000).map(|_| line(2, "compacted", json!({"message": "s"}))));
    lines.push(item(3, message("assistant", "done")));
    let mut reader = Reader::default();
    let sessions = read_lines(&mut reader, &lines);
    let made: usize = outline(&sessions[0]).iter().map(String::len).sum();
    assert!(made < 3 << 20, "{made}");
    assert!(!reader.skipped.lines.is_empty());
}
