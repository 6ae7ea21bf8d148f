//! The `anthropic` package.

use headroom_tests::process::Launch;
use headroom_tests::provider::Reply;
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use serde_json::json;

use crate::script::{self, Ran};
use crate::{NOWHERE, TRIES, broken, call_tools, error, fail_twice_each_time, patient};

const SCRIPT: &str = "with_anthropic.py";
const REMAINING: &str = "anthropic-ratelimit-requests-remaining";

/// A proxy for which there is no other provider.
async fn stage() -> Stage {
    Stage::embedded(alone).await
}

fn alone(launch: Launch) -> Launch {
    patient(launch).set("OPENAI_TARGET_API_URL", NOWHERE)
}

async fn run(stage: &Stage, scenario: &str) -> Ran {
    script::run(stage, SCRIPT, &[scenario]).await
}

#[tokio::test]
async fn messages() {
    let scenarios = ["create", "stream", "count_tokens", "models", "base_urls"];
    let stage = stage().await;
    script::run(&stage, SCRIPT, &scenarios).await.untouched();
}

#[tokio::test]
async fn tools_with_large_results() {
    let stage = stage().await;
    call_tools(&stage);
    run(&stage, "tools").await.last_is_compressed("messages");
}

#[tokio::test]
async fn a_large_cold_start() {
    let deferring = |it: Launch| alone(it).set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000);
    let stage = Stage::embedded(deferring).await;
    let ran = run(&stage, "deferred").await;
    assert_eq!(ran.sent[0].body.as_bytes(), &ran.got[0].body[..]);
    ran.last_is_compressed("messages");
}

#[tokio::test]
async fn errors() {
    let stage = stage().await;
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
        stage.provider.script(error(status, REMAINING, &body));
    }
    run(&stage, "errors").await.untouched();
}

#[tokio::test]
async fn errors_of_streams() {
    let stage = stage().await;
    let overloaded =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}});
    stage.provider.script(error(529, REMAINING, &overloaded));
    let event = format!("event: error\ndata: {overloaded}\n\n");
    let kind = [("content-type", "text/event-stream")];
    stage.provider.script(Reply::fixed(200, &kind, event));
    let breaks = broken(&stage, "event: ping\ndata: {\"type\": \"ping\"}\n\n");
    let (ran, ()) = tokio::join!(run(&stage, "stream_errors"), breaks);
    ran.untouched();
}

#[tokio::test]
async fn errors_of_the_proxy() {
    let small = |it: Launch| alone(it).set("HEADROOM_MAX_BODY_BYTES", 20_000);
    let stage = Stage::embedded(small).await;
    assert!(run(&stage, "own_errors").await.got.is_empty());
    let away = |it: Launch| alone(it).set("ANTHROPIC_TARGET_API_URL", NOWHERE);
    let stage = Stage::embedded(away).await;
    assert!(run(&stage, "provider_away").await.got.is_empty());
}

#[tokio::test]
async fn retries() {
    let stage = stage().await;
    fail_twice_each_time(&stage, 529);
    let ran = run(&stage, "retries").await;
    assert_eq!(ran.tries(), TRIES);
    ran.each_once().untouched();
}

#[tokio::test]
async fn many_at_once() {
    let stage = stage().await;
    let ran = run(&stage, "concurrent").await;
    ran.untouched();
    assert_eq!(ran.got.len(), 30);
    for request in &ran.got {
        wait::soon("the answer to be over", request.over.cancelled()).await;
    }
}
