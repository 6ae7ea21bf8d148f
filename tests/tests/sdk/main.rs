//! The official Python SDKs of both providers through the proxy: streams, tools, token counts, errors, retries.
//!
//! Each test says how the provider answers, runs scenarios of a Python script, which check what the SDK makes of the
//! answers, and compares what the SDK sent with what the provider got. `requirements.txt` pins the SDKs.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod anthropic;
mod openai;
mod package;
mod script;

use headroom_tests::process::Launch;
use headroom_tests::provider::{Reply, Says};
use headroom_tests::stage::Stage;
use serde_json::{Value, json};

/// Where no provider answers.
const NOWHERE: &str = "http://127.0.0.1:1";

/// Budgets that no loaded machine exceeds.
fn patient(launch: Launch) -> Launch {
    launch.patient()
}

/// The SDK's count of its tries, as the provider sees it of requests that fail so: the proxy sends none of them a second time.
const TRIES: [&str; 9] = ["0", "1", "2", "0", "1", "2", "0", "1", "2"];

/// Two tries that fail and one that succeeds, three times over: by status and by connection.
fn fail_twice_each_time(stage: &Stage, overloaded: u16) {
    let refused = |status| Reply::fixed(status, &[("retry-after-ms", "1")], "{}");
    let replies = [
        [refused(429), refused(500)],
        [refused(overloaded), Reply::HangUp],
        [Reply::HangUp, Reply::HangUp],
    ];
    for failing in replies {
        for reply in failing {
            stage.provider.script(reply);
        }
        stage.provider.script(Reply::Well(Says::Ok));
    }
}

/// Three turns, each with a tool call and then with a text.
fn call_tools(stage: &Stage) {
    for _turn in 0..3 {
        let input = json!({"path": "/srv/a.py", "at": ["é"]});
        stage
            .provider
            .script(Reply::Well(Says::Call("read".into(), input)));
        stage.provider.script(Reply::Well(Says::Ok));
    }
}

/// A JSON document as a provider's error answer, with the headers that come with one.
fn error(status: u16, remaining: &str, body: &Value) -> Reply {
    let headers = [
        ("content-type", "application/json"),
        ("request-id", &format!("req_{status}")),
        ("x-request-id", &format!("req_{status}")),
        (remaining, "7"),
    ];
    Reply::fixed(status, &headers, body.to_string())
}

/// A stream that delivers `events` and then breaks.
async fn broken(stage: &Stage, events: &'static str) {
    let (gate, reply) = Reply::gated(200, &[("content-type", "text/event-stream")]);
    stage.provider.script(reply);
    gate.send(events).await;
    gate.break_off().await;
}
