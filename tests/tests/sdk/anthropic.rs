//! The `anthropic` package.

use headroom_tests::process::Launch;
use headroom_tests::wait;
use serde_json::json;

use crate::package::Package;
use crate::{call_tools, error};

const SDK: Package = Package {
    script: "with_anthropic.py",
    own: "ANTHROPIC_TARGET_API_URL",
    other: "OPENAI_TARGET_API_URL",
    remaining: "anthropic-ratelimit-requests-remaining",
};

#[tokio::test]
async fn messages() {
    let scenarios = ["create", "stream", "count_tokens", "models", "base_urls"];
    SDK.run_untouched(&scenarios).await;
}

#[tokio::test]
async fn tools_with_large_results() {
    let stage = SDK.stage().await;
    call_tools(&stage);
    SDK.run(&stage, "tools")
        .await
        .last_is_compressed("messages");
}

#[tokio::test]
async fn a_large_cold_start() {
    let deferring = |it: Launch| it.set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000);
    let stage = SDK.stage_with(deferring).await;
    let ran = SDK.run(&stage, "deferred").await;
    assert_eq!(ran.sent[0].body.as_bytes(), &ran.got[0].body[..]);
    ran.last_is_compressed("messages");
}

#[tokio::test]
async fn errors() {
    let stage = SDK.stage().await;
    for (status, kind) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ] {
        let message = format!("status {status}");
        let body = json!({"type": "error", "error": {"type": kind, "message": message}});
        stage.provider.script(error(status, SDK.remaining, &body));
    }
    SDK.run(&stage, "errors").await.untouched();
}

#[tokio::test]
async fn errors_of_streams() {
    let overloaded =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}});
    let begins = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    SDK.errors_of_streams((529, &overloaded), begins).await;
}

#[tokio::test]
async fn errors_of_the_proxy() {
    SDK.errors_of_the_proxy().await;
}

#[tokio::test]
async fn retries() {
    SDK.retries(529).await;
}

#[tokio::test]
async fn many_at_once() {
    let stage = SDK.stage().await;
    let ran = SDK.run(&stage, "concurrent").await;
    ran.untouched();
    assert_eq!(ran.got.len(), 30);
    for request in &ran.got {
        wait::soon("the answer to be over", request.over.cancelled()).await;
    }
}
