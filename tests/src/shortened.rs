//! Texts that are sent shortened, and how an agent fetches them again.

use headroom_shared::compress::shorten::original_of;
use headroom_shared::contract::id::OriginalId;
use serde_json::{Value, json};

use crate::conversation::Dialect;
use crate::http::Call;
use crate::stage::Stage;

/// The retrieval tool as Claude Code names it.
pub const TOOL: &str = "mcp__headroom__headroom_retrieve";

/// The tools of a client that offers the retrieval tool.
#[must_use]
pub fn tools(dialect: Dialect) -> Value {
    match dialect {
        Dialect::Messages => json!([{"name": TOOL, "input_schema": {"type": "object"}}]),
        Dialect::Chat => json!([{"type": "function", "function": {"name": TOOL}}]),
        Dialect::Responses => json!([{"type": "function", "name": TOOL}]),
    }
}

/// All texts in a body, whatever its dialect.
///
/// # Panics
/// When the body is no JSON.
#[must_use]
pub fn texts(body: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    let mut left = vec![serde_json::from_slice::<Value>(body).expect("a body is JSON")];
    while let Some(value) = left.pop() {
        match value {
            Value::String(text) => texts.push(text),
            Value::Array(values) => left.extend(values),
            Value::Object(members) => left.extend(members.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    texts
}

/// The shortened text in a body, with the name of its original.
#[must_use]
pub fn shortened(body: &[u8]) -> Option<(String, OriginalId)> {
    let texts = texts(body).into_iter();
    let mut named = texts.filter_map(|text| original_of(&text).map(|original| (text, original)));
    named.next()
}

/// What the retrieval tool of this proxy returns for these arguments.
///
/// # Panics
/// When it returns no text.
pub async fn retrieve(stage: &Stage, arguments: &Value) -> String {
    let request = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "headroom_retrieve", "arguments": arguments},
    });
    let call = Call::post("/mcp", request.to_string())
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-06-18");
    let answer = stage.send(&call).await;
    assert_eq!(answer.status(), 200);
    let text = String::from_utf8_lossy(&answer.bytes().await).into_owned();
    // One message: as JSON, or as the only event of a stream.
    let data = text.lines().find_map(|line| line.strip_prefix("data: {"));
    let message = data.map_or(text.clone(), |rest| format!("{{{rest}"));
    let message: Value = serde_json::from_str(&message).expect("an answer is JSON");
    message["result"]["content"][0]["text"]
        .as_str()
        .expect("a text")
        .to_owned()
}
