//! Transcripts of Claude Code.

use serde_json::{Value, json};

use super::{check_anthropic, each_request, outline, read_lines};
use crate::replay::transcripts::{Reader, Session};

/// An entry of the client's side, `seconds` after 1970.
fn user(uuid: &str, parent: &str, seconds: u64, content: Value) -> Value {
    json!({
        "parentUuid": if parent.is_empty() { Value::Null } else { parent.into() },
        "isSidechain": false,
        "sessionId": "session",
        "type": "user",
        "message": {"role": "user", "content": content},
        "uuid": uuid,
        "timestamp": format!("1970-01-01T00:00:{seconds:02}.000Z"),
        "toolUseResult": {"stdout": "not sent"},
    })
}

/// An entry of the response with this id, which holds one block.
fn assistant(uuid: &str, parent: &str, id: &str, block: Value) -> Value {
    json!({
        "parentUuid": parent,
        "isSidechain": false,
        "sessionId": "session",
        "message": {
            "model": "claude-opus-4-6", "id": id, "type": "message", "role": "assistant", "content": [block],
            "stop_reason": null, "usage": {"input_tokens": 100, "output_tokens": 1},
        },
        "requestId": format!("req {id}"),
        "type": "assistant",
        "uuid": uuid,
        "timestamp": "1970-01-01T00:01:00.000Z",
    })
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn call(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "Read", "input": {}})
}

fn result(id: &str) -> Value {
    json!([{"type": "tool_result", "tool_use_id": id, "content": "it"}])
}

/// With the members of `over` put in the place of its own.
fn with(mut entry: Value, over: Value) -> Value {
    let over = over.as_object().unwrap().clone();
    entry.as_object_mut().unwrap().extend(over);
    entry
}

fn read(lines: &[Value]) -> Vec<Session> {
    let sessions = read_lines(&mut Reader::default(), lines);
    for session in &sessions {
        each_request(session, |_, messages| check_anthropic(messages));
    }
    sessions
}

/// What happens in a session, an event a line: of a message the texts and the ids of calls and results in it.
fn short(session: &Session) -> Vec<String> {
    let lines = outline(session).into_iter();
    lines
        .map(|line| {
            let Ok(message) = serde_json::from_str::<Value>(&line) else {
                return line;
            };
            let content = &message["content"];
            let blocks = content.as_array().cloned();
            let blocks = blocks.unwrap_or_else(|| vec![text(content.as_str().unwrap())]);
            let words = blocks.iter().map(|block| {
                let names = ["text", "id", "tool_use_id", "thinking"];
                let word = names.iter().find_map(|name| block[name].as_str());
                word.unwrap().to_owned()
            });
            words.collect::<Vec<_>>().join(" ")
        })
        .collect()
}

#[test]
fn entries_of_a_response_are_one_message() {
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let usage = |output: u64| json!({"model": "claude-opus-4-6", "id": "m1", "content": [call("c")], "usage": {"input_tokens": 8_000, "output_tokens": output}});
    let sessions = read(&[
        json!({"type": "file-history-snapshot", "messageId": "u1", "snapshot": {}}),
        json!({"type": "summary", "summary": "words", "leafUuid": "x"}),
        user("u1", "", 1, "ask".into()),
        assistant("a1", "u1", "m1", thought),
        assistant("a2", "a1", "m1", text("say")),
        with(
            assistant("a3", "a2", "m1", call("c")),
            json!({"message": usage(77)}),
        ),
        user("u2", "a3", 2, result("c")),
        assistant("a4", "u2", "m2", text("done")),
    ]);
    let [session] = &*sessions else { panic!() };
    assert_eq!((&*session.id, session.client), ("session", "Claude Code"));
    assert_eq!(session.path, "/v1/messages");
    assert_eq!(
        outline(session),
        [
            r#"{"role":"user","content":"ask"}"#,
            "ask 1000",
            concat!(
                r#"{"role":"assistant","content":[{"signature":"s","thinking":"hm","type":"thinking"},"#,
                r#"{"text":"say","type":"text"},{"id":"c","input":{},"name":"Read","type":"tool_use"}]}"#
            ),
            r#"{"role":"user","content":[{"content":"it","tool_use_id":"c","type":"tool_result"}]}"#,
            "ask 2000",
        ]
    );
    let mut requests = Vec::new();
    each_request(session, |request, _| requests.push(request.clone()));
    assert_eq!(requests[0].model, "claude-opus-4-6");
    assert_eq!(requests[0].usage.unwrap().output, 77);
    assert!(requests[0].thinking && !requests[1].thinking);
    // The whole input but the message, at 285 bytes a hundred tokens.
    assert_eq!(session.head_tokens, 8_000 - 31 * 100 / 285);
}

#[test]
fn results_of_parallel_calls_are_one_message_however_they_are_chained() {
    for (second, third) in [("a1", "a2"), ("a2", "u2"), ("a1", "u2")] {
        let sessions = read(&[
            user("u1", "", 1, "ask".into()),
            assistant("a1", "u1", "m1", call("c1")),
            assistant("a2", "a1", "m1", call("c2")),
            user("u2", second, 2, result("c1")),
            user("u3", third, 3, result("c2")),
            user("u4", "u3", 4, json!([text("reminder")])),
            assistant("a3", "u4", "m2", text("done")),
        ]);
        assert_eq!(
            short(&sessions[0]),
            ["ask", "ask 1000", "c1 c2", "c1 c2 reminder", "ask 4000"]
        );
    }
}

#[test]
fn results_that_come_before_the_next_call_is_written_answer_the_same_message() {
    let sessions = read(&[
        user("u1", "", 1, "ask".into()),
        assistant("a1", "u1", "m1", call("c1")),
        user("u2", "a1", 2, result("c1")),
        assistant("a2", "u2", "m1", call("c2")),
        user("u3", "a2", 3, result("c2")),
        assistant("a3", "u3", "m2", text("done")),
    ]);
    assert_eq!(
        short(&sessions[0]),
        ["ask", "ask 1000", "c1 c2", "c1 c2", "ask 3000"]
    );
}

#[test]
fn a_call_without_a_result_is_answered_and_a_result_without_a_call_is_left_out() {
    let sessions = read(&[
        user("u1", "", 1, "ask".into()),
        assistant("a1", "u1", "m1", call("c1")),
        user("u2", "a1", 2, result("of another")),
        user("u3", "u2", 3, "stop".into()),
        assistant("a2", "u3", "m2", text("fine")),
    ]);
    assert_eq!(
        short(&sessions[0]),
        ["ask", "ask 1000", "c1", "c1 stop", "ask 3000"]
    );
    assert!(outline(&sessions[0])[3].contains("No result was kept."));
}

#[test]
fn a_rewind_steps_back_to_what_both_have() {
    let sessions = read(&[
        user("u1", "", 1, "one".into()),
        assistant("a1", "u1", "m1", text("first")),
        user("u2", "a1", 2, "two".into()),
        assistant("a2", "u2", "m2", text("second")),
        user("u3", "a2", 3, "three".into()),
        assistant("a3", "u3", "m3", text("third")),
        // The second prompt, edited.
        user("v2", "a1", 4, "other".into()),
        assistant("b2", "v2", "m4", text("fourth")),
        // The same request again.
        assistant("c2", "v2", "m5", text("fifth")),
        user("v3", "c2", 5, "last".into()),
        assistant("c3", "v3", "m6", text("sixth")),
    ]);
    assert_eq!(
        short(&sessions[0]),
        [
            "one", "ask 1000", "first", "two", "ask 2000", "second", "three", "ask 3000", "keep 2",
            "other", "ask 4000", "ask 4000", "fifth", "last", "ask 5000",
        ]
    );
}

#[test]
fn a_step_back_into_a_message_makes_it_anew() {
    let sessions = read(&[
        user("u1", "", 1, "one".into()),
        user("u2", "u1", 2, "two".into()),
        assistant("a1", "u2", "m1", text("first")),
        user("v2", "u1", 3, "other".into()),
        assistant("b1", "v2", "m2", text("second")),
        assistant("b2", "u1", "m3", text("third")),
        assistant("b3", "b2", "m4", text("fourth")),
    ]);
    assert_eq!(
        short(&sessions[0]),
        [
            "one two",
            "ask 2000",
            "keep 0",
            "one other",
            "ask 3000",
            "keep 0",
            "one",
            "ask 1000",
            "third",
            "ask 60000",
        ]
    );
}

#[test]
fn what_is_written_late_of_a_response_makes_its_message_anew() {
    let sessions = read(&[
        user("u1", "", 1, "one".into()),
        assistant("a1", "u1", "m1", text("first")),
        user("u2", "a1", 2, "two".into()),
        assistant("a2", "u2", "m2", text("second")),
        assistant("a3", "a1", "m1", call("c")),
        // A copy under another id.
        assistant("a4", "a3", "m1", call("c")),
        user("u3", "a4", 3, result("c")),
        assistant("a5", "u3", "m3", text("third")),
    ]);
    assert_eq!(
        short(&sessions[0]),
        [
            "one", "ask 1000", "first", "two", "ask 2000", "keep 1", "first c", "c", "ask 3000"
        ]
    );
}

#[test]
fn a_compaction_begins_a_new_history() {
    let boundary = |metadata: Value| json!({"type": "system", "subtype": "compact_boundary", "uuid": "s", "parentUuid": null, "logicalParentUuid": "a2", "sessionId": "session", "compactMetadata": metadata});
    let summary = |parent: &str| {
        with(
            user("u3", parent, 3, "summary".into()),
            json!({"isCompactSummary": true}),
        )
    };
    let begin = [
        user("u1", "", 1, "one".into()),
        assistant("a1", "u1", "m1", text("first")),
        user("u2", "a1", 2, "two".into()),
        assistant("a2", "u2", "m2", text("second")),
    ];
    let whole = [
        boundary(json!({"trigger": "auto"})),
        summary("s"),
        assistant("a3", "u3", "m3", text("third")),
    ];
    let sessions = read(&[&begin[..], &whole].concat());
    let before = ["one", "ask 1000", "first", "two", "ask 2000"];
    assert_eq!(
        short(&sessions[0]),
        [&before[..], &["keep 0", "summary", "ask 3000"]].concat()
    );

    // Older clients write no boundary.
    let old = [summary("a2"), assistant("a3", "u3", "m3", text("third"))];
    let sessions = read(&[&begin[..], &old].concat());
    assert_eq!(
        short(&sessions[0]),
        [&before[..], &["keep 0", "summary", "ask 3000"]].concat()
    );

    for metadata in [
        json!({"preservedSegment": {"headUuid": "u2", "anchorUuid": "u3", "tailUuid": "a2"}}),
        json!({"preservedMessages": {"anchorUuid": "u3", "uuids": ["u2", "a2"]}}),
    ] {
        let kept = [
            boundary(metadata),
            summary("s"),
            user("u4", "a2", 4, "three".into()),
            assistant("a4", "u4", "m4", text("fourth")),
        ];
        let sessions = read(&[&begin[..], &kept].concat());
        assert_eq!(
            short(&sessions[0]),
            [
                &before[..],
                &["keep 0", "summary two", "second", "three", "ask 4000"]
            ]
            .concat()
        );
    }
}

#[test]
fn what_is_only_shown_is_not_sent() {
    let error = |over: Value| with(assistant("e", "u1", "x", text("API Error")), over);
    for shown in [
        error(json!({"isApiErrorMessage": true})),
        error(
            json!({"message": {"model": "<synthetic>", "id": "x", "content": [text("No response requested.")]}}),
        ),
        json!({"type": "system", "subtype": "informational", "content": "x", "uuid": "e", "parentUuid": "u1"}),
        json!({"type": "progress", "data": {"type": "hook"}, "uuid": "e", "parentUuid": "u1"}),
        json!({"type": "of another version", "message": "not an object", "uuid": "e", "parentUuid": "u1"}),
    ] {
        let sessions = read(&[
            user("u1", "", 1, "ask".into()),
            shown,
            user("u2", "e", 2, "again".into()),
            assistant("a1", "u2", "m1", text("done")),
        ]);
        assert_eq!(short(&sessions[0]), ["ask again", "ask 2000"]);
    }
}

#[test]
fn agents_are_sessions_of_their_own() {
    let side = |entry: Value, over: Value| with(with(entry, json!({"isSidechain": true})), over);
    let sessions = read(&[
        user("u1", "", 1, "ask".into()),
        assistant("a1", "u1", "m1", call("c1")),
        // Two agents without names at once, as older clients write them, and one with a name.
        side(user("s1", "", 2, "first".into()), json!({})),
        side(user("t1", "", 3, "second".into()), json!({})),
        side(assistant("s2", "s1", "n1", text("x")), json!({})),
        side(assistant("t2", "t1", "n2", text("y")), json!({})),
        side(
            user("r1", "", 4, "third".into()),
            json!({"agentId": "agent"}),
        ),
        side(
            assistant("r2", "r1", "n3", text("z")),
            json!({"agentId": "agent"}),
        ),
        user("u2", "a1", 5, result("c1")),
        assistant("a2", "u2", "m2", text("done")),
    ]);
    let sessions = sessions
        .iter()
        .map(|session| (&*session.id, short(session)));
    let sessions: Vec<_> = sessions.map(|(id, lines)| (id, lines.join(", "))).collect();
    assert_eq!(
        sessions,
        [
            ("session", "ask, ask 1000, c1, c1, ask 5000".to_owned()),
            ("session/s1", "first, ask 2000".to_owned()),
            ("session/t1", "second, ask 3000".to_owned()),
            ("session/agent", "third, ask 4000".to_owned()),
        ]
    );
}

#[test]
fn what_a_resumed_session_repeats_is_asked_once() {
    let begin = [
        user("u1", "", 1, "one".into()),
        assistant("a1", "u1", "m1", text("first")),
    ];
    let resumed = [
        user("u2", "a1", 2, "two".into()),
        assistant("a2", "u2", "m2", text("second")),
    ];
    let mut reader = Reader::default();
    let first = read_lines(&mut reader, &begin);
    assert_eq!(short(&first[0]), ["one", "ask 1000"]);
    let second = read_lines(&mut reader, &[&begin[..], &resumed].concat());
    assert_eq!(short(&second[0]), ["one", "first", "two", "ask 2000"]);
    assert!(read_lines(&mut reader, &begin).is_empty());

    // An agent that continues the conversation repeats it under other requests.
    let other = json!({"requestId": "another", "isSidechain": true, "agentId": "agent"});
    let forked = begin.map(|entry| with(entry, other.clone()));
    assert!(read_lines(&mut reader, &forked).is_empty());
}

#[test]
fn an_entry_counts_once_in_a_file_and_states_the_last_usage() {
    let again = json!({"message": {"id": "m1", "content": [text("first")], "usage": {"input_tokens": 100, "output_tokens": 50}}});
    let sessions = read(&[
        user("u1", "", 1, "one".into()),
        assistant("a1", "u1", "m1", text("first")),
        user("u1", "", 1, "one".into()),
        with(assistant("a1", "u1", "m1", text("first")), again),
        user("u2", "a1", 2, "two".into()),
        assistant("a2", "u2", "m2", text("second")),
    ]);
    assert_eq!(
        short(&sessions[0]),
        ["one", "ask 1000", "first", "two", "ask 2000"]
    );
    each_request(&sessions[0], |request, messages| {
        let output = if messages.len() == 1 { 50 } else { 1 };
        assert_eq!(request.usage.unwrap().output, output);
    });
}

#[test]
fn an_entry_that_follows_a_lost_one_follows_the_one_before_it() {
    let sessions = read(&[
        user("u1", "lost", 1, "one".into()),
        assistant("a1", "u1", "m1", text("first")),
        user("u2", "lost too", 2, "two".into()),
        assistant("a2", "u2", "m2", text("second")),
    ]);
    assert_eq!(
        short(&sessions[0]),
        ["one", "ask 1000", "first", "two", "ask 2000"]
    );
}

#[test]
fn a_conversation_that_begins_with_an_answer_is_read_from_the_first_prompt_on() {
    let sessions = read(&[
        assistant("a1", "lost", "m1", call("c")),
        user("u1", "a1", 1, result("c")),
        user("u2", "u1", 2, "two".into()),
        assistant("a2", "u2", "m2", text("second")),
    ]);
    assert_eq!(short(&sessions[0]), ["two", "ask 2000"]);
    assert_eq!(sessions[0].head_tokens, 100 - 31 * 100 / 285);

    let sessions = read(&[
        user("u1", "lost", 1, result("c")),
        assistant("a1", "u1", "m1", call("d")),
        user("u2", "a1", 2, result("d")),
        assistant("a2", "u2", "m2", text("second")),
        user("u3", "a2", 3, "three".into()),
        assistant("a3", "u3", "m3", text("third")),
    ]);
    assert_eq!(short(&sessions[0]), ["three", "ask 3000"]);
}

#[test]
fn the_head_is_what_the_shortest_begin_of_a_history_states_beyond_its_messages() {
    let stating = |entry: Value, id: &str, tokens: u64| {
        let usage = json!({"cache_read_input_tokens": tokens, "output_tokens": 1});
        with(
            entry,
            json!({"message": {"id": id, "model": "claude-opus-4-6", "content": [text("x")], "usage": usage}}),
        )
    };
    let boundary =
        json!({"type": "system", "subtype": "compact_boundary", "uuid": "s", "parentUuid": null});
    let read_with = |first: u64, second: u64| {
        let sessions = read(&[
            user("u1", "", 1, "one".into()),
            stating(assistant("a1", "u1", "m1", Value::Null), "m1", first),
            boundary.clone(),
            user("u2", "s", 2, "two".into()),
            stating(assistant("a2", "u2", "m2", Value::Null), "m2", second),
        ]);
        sessions[0].head_tokens
    };
    assert_eq!(read_with(90_000, 30_000), 30_000 - 31 * 100 / 285);
    assert_eq!(read_with(20_000, 30_000), 20_000 - 31 * 100 / 285);
    assert_eq!(read_with(900_000, 800_000), 150_000);
    assert_eq!(read_with(0, 0), 20_000);
}

#[test]
fn a_file_of_many_branches_ends() {
    let long = "long ".repeat(4_000);
    let mut lines = vec![user("u", "", 1, "begin".into())];
    for branch in ["x", "y"] {
        lines.push(user(branch, "u", 2, Value::from(&*long)));
        lines.push(assistant(&format!("a{branch}"), branch, branch, text("a")));
    }
    for turn in 0..1_000 {
        let branch = ["ax", "ay"][turn % 2];
        let uuid = format!("u{turn}");
        lines.push(user(&uuid, branch, 3, "p".into()));
        lines.push(assistant(&format!("b{turn}"), &uuid, &uuid, text("b")));
    }
    let mut reader = Reader::default();
    let sessions = read_lines(&mut reader, &lines);
    let read: usize = lines.iter().map(|line| line.to_string().len()).sum();
    let made: usize = outline(&sessions[0]).iter().map(String::len).sum();
    assert!(made < read * 5, "{made} of {read}");
    assert!(!reader.skipped.lines.is_empty());
}
