//! The retrieval tool, as clients offer it to a model and call it.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::conversation::Dialect;
use crate::http::{Answer, Call};
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

/// A request to the tool's path with the headers that all clients send.
#[must_use]
pub fn post(body: impl Into<Bytes>) -> Call {
    Call::post("/mcp", body).header("accept", "application/json, text/event-stream")
}

/// A message of the protocol.
#[must_use]
pub fn message(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

/// A call of the tool with these arguments.
#[must_use]
pub fn call(arguments: &Value) -> String {
    let params = json!({"name": "headroom_retrieve", "arguments": arguments});
    message("tools/call", &params)
}

/// The result of a request.
///
/// # Panics
/// When it has none.
pub async fn result(stage: &Stage, body: String) -> Value {
    let answer: Answer = stage.send(&post(body)).await;
    assert_eq!(answer.status(), 200);
    let mut answer = answer.json().await;
    assert_eq!(answer["id"], 1, "{answer}");
    answer["result"].take()
}

/// What the tool answers, and whether it is an error.
///
/// # Panics
/// When it answers no text.
pub async fn retrieve(stage: &Stage, arguments: &Value) -> (String, bool) {
    let result = result(stage, call(arguments)).await;
    let text = result["content"][0]["text"].as_str();
    let text = text.unwrap_or_else(|| panic!("no text: {result}"));
    (text.to_owned(), result["isError"] == true)
}
