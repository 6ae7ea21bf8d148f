//! Runs scenarios of a Python script against a stage, and compares what the SDK sent with what the provider got.

use std::path::Path;
use std::process::Stdio;

use headroom_tests::provider::Received;
use headroom_tests::stage::Stage;
use headroom_tests::{venv, wait};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

/// Scenarios that ran to their end.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The requests as they left the SDK, in order.
    pub(crate) sent: Vec<Sent>,
    /// The requests as they arrived at the provider, in order.
    pub(crate) got: Vec<Received>,
}

/// A request as it left the SDK.
#[derive(Debug, Deserialize)]
pub(crate) struct Sent {
    headers: Vec<(String, String)>,
    /// Empty for one without a body.
    pub(crate) body: String,
}

/// Headers that speak of a connection and not of the request.
const OF_THE_HOP: [&str; 2] = ["host", "connection"];

/// Runs scenarios one after the other: functions of these names in that script.
///
/// # Panics
/// When the script fails; the message holds what it wrote.
pub(crate) async fn run(stage: &Stage, script: &str, scenarios: &[&str]) -> Ran {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk");
    let venv = match venv::with("sdk", &folder.join("requirements.txt")) {
        Ok(venv) => venv,
        Err(error) => panic!("{error}"),
    };
    let base = format!("http://{}", stage.addr());
    let mut command = Command::new(venv.join("bin/python"));
    command
        .arg(folder.join(script))
        .args(scenarios)
        .env_clear()
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("ANTHROPIC_API_KEY", "test-key")
        .env("ANTHROPIC_BASE_URL", &base)
        .env("OPENAI_API_KEY", "test-key")
        .env("OPENAI_BASE_URL", format!("{base}/v1"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = wait::soon("the script to end", command.output()).await;
    let output = output.expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{script} {scenarios:?}: {}\n{said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let sent = said.lines().last().expect("the requests it sent");
    let mut got = Vec::new();
    while stage.provider.untaken() > 0 {
        got.push(stage.provider.next().await);
    }
    Ran {
        sent: serde_json::from_str(sent).expect("a list of requests"),
        got,
    }
}

impl Ran {
    /// The same with what the proxy sent a second time, over another connection, counted once.
    pub(crate) fn each_once(mut self) -> Self {
        let same = |one: &mut Received, other: &mut Received| one.headers == other.headers;
        self.got.dedup_by(same);
        self
    }

    /// Checks that what arrived is what was sent, body and headers, in whatever order.
    ///
    /// # Panics
    /// When it is not.
    pub(crate) fn untouched(&self) {
        let mut sent: Vec<&Sent> = self.sent.iter().collect();
        let mut got: Vec<&Received> = self.got.iter().collect();
        assert_eq!(sent.len(), got.len(), "{sent:#?}\narrived as\n{got:#?}");
        sent.sort_by_key(|sent| &sent.body);
        got.sort_by_key(|got| got.body.clone());
        for (sent, got) in sent.into_iter().zip(got) {
            assert!(
                sent.body.as_bytes() == &got.body[..],
                "{sent:#?}\narrived as\n{got:#?}"
            );
            assert_eq!(
                of_the_request(sent.headers.clone()),
                of_the_request(headers(got))
            );
        }
    }

    /// How often the SDK had tried before, for each request that arrived, as it says itself.
    pub(crate) fn tries(&self) -> Vec<&str> {
        let counts = self.got.iter();
        counts
            .flat_map(|request| request.header("x-stainless-retry-count"))
            .collect()
    }

    /// Checks that the last request arrived smaller and otherwise says the same: what differs are tool results.
    ///
    /// # Panics
    /// When it does not.
    pub(crate) fn last_is_compressed(&self, messages: &str) {
        let sent = &self.sent.last().expect("a request").body;
        let got = &self.got.last().expect("a request").body;
        assert!(
            got.len() < sent.len() * 9 / 10,
            "{} of {}",
            got.len(),
            sent.len()
        );
        let mut sent: Value = sent.parse().expect("JSON");
        let mut got: Value = serde_json::from_slice(got).expect("JSON");
        for body in [&mut sent, &mut got] {
            for message in body[messages].as_array_mut().expect("messages") {
                blank(message);
            }
        }
        assert_eq!(sent, got);
    }
}

fn of_the_request(mut headers: Vec<(String, String)>) -> Vec<(String, String)> {
    headers.retain(|(name, _)| !OF_THE_HOP.contains(&name.as_str()));
    headers.sort();
    headers
}

fn headers(got: &Received) -> Vec<(String, String)> {
    let text = |value: &hyper::header::HeaderValue| value.to_str().expect("text").to_owned();
    let headers = got.headers.iter();
    headers
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

/// Takes the texts of tool results out of a message.
fn blank(message: &mut Value) {
    if message["role"] == "tool" {
        message["content"].take();
    }
    if message["type"] == "function_call_output" {
        message["output"].take();
    }
    for part in message["content"].as_array_mut().into_iter().flatten() {
        if part["type"] == "tool_result" {
            part["content"].take();
        }
    }
}
