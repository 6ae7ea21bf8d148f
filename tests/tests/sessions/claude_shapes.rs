//! Claude Code writes the same content in another shape on the next turn: that changes no digest, so forms stay.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::process::Launch;
use headroom_tests::stage::Stage;
use serde_json::json;

fn eager(launch: Launch) -> Launch {
    launch.patient()
}

#[tokio::test]
async fn marks_move_and_strings_become_arrays() {
    let stage = Stage::embedded(eager).await;
    let mut client = Client::new(Conversation::new(Dialect::Messages, "shapes").user("Read."));
    client.turn(&stage).await;
    for turn in 1..8 {
        client.grow(|it| it.reads(turn, 9000));
        assert_eq!(client.turn(&stage).await.decision, "compressed");
        assert_eq!(client.forms.entered, turn);
    }
    // The block that carried the mark was an array then and is a string now, and is still sent compressed.
    let plain = std::str::from_utf8(&client.conversation.body().bytes)
        .unwrap()
        .matches("\"content\":\" ")
        .count();
    assert!(plain >= 6, "{plain}");
}

#[tokio::test]
async fn the_same_words_as_text_and_as_array() {
    let stage = Stage::embedded(eager).await;
    let words = headroom_tests::conversation::listing(1, 30_000);
    let body = |content: &serde_json::Value, more: &str| {
        format!(
            r#"{{"model":"claude-opus-4-6","messages":[{{"role":"user","content":{content}}}{more}]}}"#
        )
    };
    let more = r#",{"role":"assistant","content":[{"type":"text","text":"ok"}]},{"role":"user","content":"go on"}"#;
    let array = json!([{"type": "text", "text": words, "cache_control": {"type": "ephemeral"}}]);
    let call = |body: String| headroom_tests::http::Call::post(Dialect::Messages.path(), body);
    let (decision, first) = stage.exchange(&call(body(&array, ""))).await;
    assert_eq!(decision, "compressed");
    let (decision, second) = stage.exchange(&call(body(&json!(words), more))).await;
    assert_eq!(decision, "compressed");
    assert_eq!(content(&first), content(&second));
}

/// What the first message says.
fn content(body: &[u8]) -> String {
    let body: serde_json::Value = std::str::from_utf8(body).unwrap().parse().unwrap();
    let content = &body["messages"][0]["content"];
    let text = content.as_str().or(content[0]["text"].as_str());
    text.unwrap().to_owned()
}

#[tokio::test]
async fn a_system_message_in_between_stays_where_it_is() {
    let stage = Stage::embedded(eager).await;
    let mut client = Client::new(
        Conversation::new(Dialect::Messages, "system")
            .user("Read.")
            .reads(1, 9000),
    );
    client.turn(&stage).await;
    client
        .conversation
        .push(json!({"role": "system", "content": "The time is now 12:00."}));
    client.grow(|it| it.assistant("Yes.").reads(2, 9000));
    assert_eq!(client.turn(&stage).await.decision, "compressed");
    assert_eq!(client.forms.entered, 2);
}

#[tokio::test]
async fn forks_and_edited_replies_have_prefixes_of_their_own() {
    let stage = Stage::embedded(eager).await;
    let trunk = || {
        Conversation::new(Dialect::Messages, "fork")
            .user("Read.")
            .reads(1, 9000)
    };
    let mut one = Client::new(trunk());
    one.turn(&stage).await;
    for (turn, edited) in (2..5).zip(["ls", "cd /srv && ls", "cd /srv; ls -l"]) {
        let mut fork = Client::new(trunk().assistant(edited).reads(turn, 9000));
        fork.forms.assume(&one.forms);
        assert_eq!(fork.turn(&stage).await.decision, "compressed", "{edited}");
    }
}

#[tokio::test]
async fn what_must_not_be_touched_is_not() {
    let stage = Stage::embedded(eager).await;
    let long = headroom_tests::conversation::listing(3, 20_000);
    let mut client = Client::new(Conversation::new(Dialect::Messages, "untouchable").user("Go."));
    client.conversation.push(json!({"role": "assistant", "content": [
        {"type": "thinking", "thinking": long, "signature": "c2ln"},
        {"type": "redacted_thinking", "data": long},
        {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": long}},
        {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [{"type": "web_search_result", "title": "t", "encrypted_content": long}]},
        {"type": "text", "text": long, "citations": [{"cited_text": long}]},
        {"type": "tool_use", "id": "call_1", "name": "Write", "input": {"content": long}},
    ]}));
    client.conversation.push(json!({"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "call_1", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": long}},
        ]},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": long}},
    ]}));
    // The client's own check fails on any change outside tool results and user texts.
    assert_eq!(client.turn(&stage).await.decision, "forwarded");
}

/// A file as Claude Code's Read prints it.
fn file(lines: usize) -> String {
    let line = |n: usize| {
        format!(
            "{n}\t    let value_{n} = compute({}, &settings, &mut state);\n",
            n * 7919
        )
    };
    (1..=lines).map(line).collect()
}

/// A file that is read, edited and read again, in a body with this member.
fn read_twice(member: &str) -> String {
    let (first, second) = (
        file(400),
        file(400).replace("compute(39595,", "calculate(39595,"),
    );
    let read = |id: &str| json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "Read", "input": {"file_path": "/srv/a.rs"}}]});
    let result = |id: &str, text: &str| json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]});
    let messages = json!([
        {"role": "user", "content": "Read it."},
        read("t1"),
        result("t1", &first),
        read("t2"),
        result("t2", &second),
    ]);
    format!(
        r#"{{"model":"claude-sonnet-4-5","messages":{messages},"system":[],"max_tokens":9,{member}"stream":false}}"#
    )
}

/// The bytes of the second result as it was sent.
async fn second_result(member: &str) -> usize {
    let stage = Stage::embedded(eager).await;
    let call = headroom_tests::http::Call::post(Dialect::Messages.path(), read_twice(member));
    let (_, got) = stage.exchange(&call).await;
    let body: serde_json::Value = serde_json::from_slice(&got).unwrap();
    let result = &body["messages"][4]["content"][0]["content"];
    result.as_str().unwrap().len()
}

#[tokio::test]
async fn a_file_read_again_refers_to_the_first_read_though_thinking_is_cleared() {
    let whole = file(400).len();
    for member in [
        "",
        r#""context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},"#,
    ] {
        let sent = second_result(member).await;
        assert!(sent * 10 < whole, "{member}: {sent} of {whole}");
    }
    let drops = r#""context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]},"#;
    let sent = second_result(drops).await;
    assert!(sent * 10 > whole * 7, "{sent} of {whole}");
}
