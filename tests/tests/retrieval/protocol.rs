//! What clients are told before they call.

use headroom_tests::http::Call;
use headroom_tests::retrieval::{message, post, result};
use headroom_tests::stage::Stage;
use serde_json::json;

#[tokio::test]
async fn a_client_finds_one_tool_without_a_session() {
    let stage = Stage::embedded(|launch| launch).await;
    let params = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    });
    let answer = stage.send(&post(message("initialize", &params))).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("mcp-session-id"), "");
    let answer = answer.json().await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(answer["result"]["serverInfo"]["name"], "headroom");
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let answer = stage.send(&post(initialized.to_string())).await;
    assert_eq!(answer.status(), 202);
    let listed = result(&stage, message("tools/list", &json!({}))).await;
    let [tool] = listed["tools"].as_array().unwrap().as_slice() else {
        panic!("{listed}");
    };
    assert_eq!(tool["name"], "headroom_retrieve");
    assert_eq!(tool["inputSchema"]["required"], json!(["id"]));
    assert_eq!(tool["annotations"]["readOnlyHint"], true);
    assert_eq!(tool["annotations"]["idempotentHint"], true);
    assert_eq!(tool["_meta"]["anthropic/alwaysLoad"], true);
    assert_eq!(stage.provider.untaken(), 0);
}

#[tokio::test]
async fn there_is_nothing_to_listen_to() {
    let stage = Stage::embedded(|launch| launch).await;
    for method in ["GET", "DELETE"] {
        let call = Call::new(method, "/mcp").header("accept", "text/event-stream");
        let answer = stage.send(&call).await;
        assert_eq!((answer.status(), answer.header("allow")), (405, "POST"));
    }
    assert_eq!(stage.provider.untaken(), 0);
}

#[tokio::test]
async fn another_tool_is_an_error_of_the_protocol() {
    let stage = Stage::embedded(|launch| launch).await;
    let other = message("tools/call", &json!({"name": "other", "arguments": {}}));
    let answer = stage.send(&post(other)).await.json().await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}
