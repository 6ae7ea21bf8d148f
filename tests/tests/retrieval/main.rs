//! The retrieval tool: its protocol by hand and by the official client, over both stores, and who may not ask.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod calls;
mod client;
mod protocol;
mod refusals;

use std::time::Duration;

use bytes::Bytes;
use headroom_shared::contract::id::{BlockId, OriginalId};
use headroom_shared::contract::prefix::Form;
use headroom_shared::store::{EmbeddedStore, Entry, Key, Store as _};
use headroom_tests::http::{Answer, Call};
use headroom_tests::stage::Stage;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The id of the texts here.
const ID: &str = "3f2a9c0b7d1e4856";
/// The key of the texts here.
const KEY: &str = "headroom:original:3f2a9c0b7d1e4856";

/// A text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    Form::new(BlockId::from_bytes([0; 16]), text).text
}

/// A proxy over Redis that holds this text, for ten minutes more.
async fn over_redis(text: &str) -> Stage {
    let stage = Stage::with_redis(|launch| launch).await;
    put(&stage, &escaped(text)).await;
    stage
}

/// Puts this escaped text into Redis, for ten minutes.
async fn put(stage: &Stage, escaped: &str) {
    let set = ["SET", KEY, escaped, "PX", "600000"];
    stage.redis().command::<()>(&set).await;
}

/// A proxy over the embedded store that holds this text.
async fn embedded(text: &str) -> (Stage, TempDir) {
    let folder = TempDir::new().expect("a temporary folder");
    let original: OriginalId = ID.parse().expect("an id");
    let store = EmbeddedStore::open(folder.path(), Duration::from_secs(3600), 1 << 30);
    let entry = Entry::without_revisions(Key::Original(original), escaped(text).into());
    let store = store.expect("a store");
    store.write(&[entry]).await.expect("room");
    drop(store);
    let path = folder.path().display().to_string();
    let stage = Stage::embedded(|launch| launch.set("HEADROOM_DATA_DIR", path)).await;
    (stage, folder)
}

/// A request to the tool's path with the headers that all clients send.
fn post(body: impl Into<Bytes>) -> Call {
    Call::post("/mcp", body).header("accept", "application/json, text/event-stream")
}

/// A message of the protocol.
fn message(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

/// A call of the tool with these arguments.
fn call(arguments: &Value) -> String {
    let params = json!({"name": "headroom_retrieve", "arguments": arguments});
    message("tools/call", &params)
}

/// The result of a request.
async fn result(stage: &Stage, body: String) -> Value {
    let answer: Answer = stage.send(&post(body)).await;
    assert_eq!(answer.status(), 200);
    let mut answer = answer.json().await;
    assert_eq!(answer["id"], 1, "{answer}");
    answer["result"].take()
}

/// What the tool answers, and whether it is an error.
async fn retrieve(stage: &Stage, arguments: &Value) -> (String, bool) {
    let result = result(stage, call(arguments)).await;
    let text = result["content"][0]["text"].as_str();
    let text = text.unwrap_or_else(|| panic!("no text: {result}"));
    (text.to_owned(), result["isError"] == true)
}
