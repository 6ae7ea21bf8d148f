//! The `openai` package.

use serde_json::json;

use crate::package::Package;
use crate::{call_tools, error};

const SDK: Package = Package {
    script: "with_openai.py",
    own: "OPENAI_TARGET_API_URL",
    other: "ANTHROPIC_TARGET_API_URL",
    remaining: "x-ratelimit-remaining-requests",
};

#[tokio::test]
async fn chat_completions_and_responses() {
    let scenarios = [
        "chat",
        "chat_stream",
        "responses",
        "responses_stream",
        "models",
        "base_urls",
    ];
    SDK.run_untouched(&scenarios).await;
}

#[tokio::test]
async fn tools_with_large_results() {
    for (scenario, messages) in [("chat_tools", "messages"), ("responses_tools", "input")] {
        let stage = SDK.stage().await;
        call_tools(&stage);
        SDK.run(&stage, scenario).await.last_is_compressed(messages);
    }
}

#[tokio::test]
async fn errors() {
    let stage = SDK.stage().await;
    for _dialect in ["chat", "responses"] {
        for status in [400, 401, 403, 404, 413, 429, 500, 503] {
            let body = json!({"error": {"type": "t", "code": "c", "param": null, "message": format!("status {status}")}});
            stage.provider.script(error(status, SDK.remaining, &body));
        }
    }
    SDK.run(&stage, "errors").await.untouched();
}

#[tokio::test]
async fn errors_of_streams() {
    let overloaded = json!({"error": {"message": "overloaded", "type": "server_error"}});
    SDK.errors_of_streams((429, &overloaded), ": ping\n\n")
        .await;
}

#[tokio::test]
async fn errors_of_the_proxy() {
    SDK.errors_of_the_proxy().await;
}

#[tokio::test]
async fn retries() {
    SDK.retries(503).await;
}

#[tokio::test]
async fn many_at_once() {
    let stage = SDK.stage().await;
    let ran = SDK.run(&stage, "concurrent").await;
    ran.untouched();
    assert_eq!(ran.got.len(), 32);
}
