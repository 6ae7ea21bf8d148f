//! The `openai` package.

use headroom_tests::process::Launch;
use headroom_tests::provider::Reply;
use headroom_tests::stage::Stage;
use serde_json::json;

use crate::script::{self, Ran};
use crate::{NOWHERE, TRIES, broken, call_tools, error, fail_twice_each_time, patient};

const SCRIPT: &str = "with_openai.py";
const REMAINING: &str = "x-ratelimit-remaining-requests";

/// A proxy for which there is no other provider.
async fn stage() -> Stage {
    Stage::embedded(alone).await
}

fn alone(launch: Launch) -> Launch {
    patient(launch).set("ANTHROPIC_TARGET_API_URL", NOWHERE)
}

async fn run(stage: &Stage, scenario: &str) -> Ran {
    script::run(stage, SCRIPT, &[scenario]).await
}

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
    let stage = stage().await;
    script::run(&stage, SCRIPT, &scenarios).await.untouched();
}

#[tokio::test]
async fn tools_with_large_results() {
    for (scenario, messages) in [("chat_tools", "messages"), ("responses_tools", "input")] {
        let stage = stage().await;
        call_tools(&stage);
        run(&stage, scenario).await.last_is_compressed(messages);
    }
}

#[tokio::test]
async fn errors() {
    let stage = stage().await;
    for _dialect in ["chat", "responses"] {
        for status in [400, 401, 403, 404, 413, 429, 500, 503] {
            let body = json!({"error": {"type": "t", "code": "c", "param": null, "message": format!("status {status}")}});
            stage.provider.script(error(status, REMAINING, &body));
        }
    }
    run(&stage, "errors").await.untouched();
}

#[tokio::test]
async fn errors_of_streams() {
    let stage = stage().await;
    let overloaded = json!({"error": {"message": "overloaded", "type": "server_error"}});
    stage.provider.script(error(429, REMAINING, &overloaded));
    let event = format!("event: error\ndata: {overloaded}\n\n");
    let kind = [("content-type", "text/event-stream")];
    stage.provider.script(Reply::fixed(200, &kind, event));
    let breaks = broken(&stage, ": ping\n\n");
    let (ran, ()) = tokio::join!(run(&stage, "stream_errors"), breaks);
    ran.untouched();
}

#[tokio::test]
async fn errors_of_the_proxy() {
    let small = |it: Launch| alone(it).set("HEADROOM_MAX_BODY_BYTES", 20_000);
    let stage = Stage::embedded(small).await;
    assert!(run(&stage, "own_errors").await.got.is_empty());
    let away = |it: Launch| alone(it).set("OPENAI_TARGET_API_URL", NOWHERE);
    let stage = Stage::embedded(away).await;
    assert!(run(&stage, "provider_away").await.got.is_empty());
}

#[tokio::test]
async fn retries() {
    let stage = stage().await;
    fail_twice_each_time(&stage, 503);
    let ran = run(&stage, "retries").await;
    assert_eq!(ran.tries(), TRIES);
    ran.each_once().untouched();
}

#[tokio::test]
async fn many_at_once() {
    let stage = stage().await;
    let ran = run(&stage, "concurrent").await;
    ran.untouched();
    assert_eq!(ran.got.len(), 32);
}
