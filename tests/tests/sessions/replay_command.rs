//! `headroom-proxy replay`: it says what the requests of the real proxy cost, and fails in words.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use headroom_proxy::prices::Prices;
use headroom_proxy::simulation::prompt_cache::{CacheBody, CacheRequest, Head, Life, PromptCache};
use headroom_tests::client::Client;
use headroom_tests::conversation::Dialect;
use headroom_tests::conversation::recorded::{Session, Step, sessions_in};
use headroom_tests::process::Launch;
use headroom_tests::stage::Stage;
use serde_json::Value;

/// How far what the command says may lie from what the live pair's requests cost, as a part of that.
const TOLERANCE: f64 = 0.005;

fn beside_the_package(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

async fn replay(args: &[&str]) -> Output {
    let args = [&["replay"], args].concat();
    Launch::proxy_to("http://127.0.0.1:1")
        .args(&args)
        .run()
        .await
}

async fn replay_json(args: &[&str]) -> Value {
    let ended = replay(&[args, &["--json"]].concat()).await;
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{complained}");
    serde_json::from_slice(&ended.stdout).unwrap()
}

/// The sessions in what the command says, each with what it costs as a part of what it costs directly.
fn ratios(report: &Value) -> HashMap<String, f64> {
    let sessions = report["sessions"].as_array().unwrap();
    let usd = |session: &Value, name: &str| session[name].as_f64().unwrap();
    let ratio = |it: &Value| usd(it, "headroom_usd") / usd(it, "direct_usd");
    sessions
        .iter()
        .map(|it| (it["id"].as_str().unwrap().to_owned(), ratio(it)))
        .collect()
}

#[tokio::test]
async fn made_up_sessions_cost_what_the_live_pair_s_requests_cost() {
    compare_with_live("fixtures/sessions").await;
}

#[tokio::test]
#[ignore = "needs the recorded sessions beside the checkout: scripts/test runs it where they are"]
async fn recorded_sessions_cost_what_the_live_pair_s_requests_cost() {
    compare_with_live("../../shared/corpus/sessions").await;
}

/// Replays the sessions of a folder by the command, and by real requests at the recorded times before the same model of the cache.
async fn compare_with_live(folder: &str) {
    let folder = beside_the_package(folder);
    let report = replay_json(&[folder.to_str().unwrap(), "--ttl", "5m"]).await;
    let told = ratios(&report);
    let stage = Stage::embedded(|launch| launch.patient()).await;
    let mut compared = 0;
    for session in sessions_in(&folder).unwrap() {
        // Of the others it is not recorded how large their tools and system prompts were.
        if session.dialect == Dialect::Messages && session.head_tokens > 0 {
            let live = live_ratio(&session, &stage).await;
            let told = told[&session.id];
            let name = &session.id;
            assert!(
                (told / live - 1.0).abs() <= TOLERANCE,
                "{name}: {told} told, {live} live"
            );
            assert!(told < 1.0 + 1e-9, "{name}: {told}");
            compared += 1;
        }
    }
    assert!(compared >= 3, "{compared} sessions");
}

/// What a session's requests cost through the real proxy, as a part of what they cost directly.
async fn live_ratio(session: &Session, stage: &Stage) -> f64 {
    let mut client = Client::new(session.begin());
    let head = Head::assumed(0, session.head_tokens, 2, Some(Life::Short));
    let prices = Prices::built_in();
    let mut caches = [PromptCache::default(), PromptCache::default()];
    let mut bills = [0.0, 0.0];
    for step in session.steps.iter().cloned() {
        match step {
            Step::Message(element) => client.conversation.push(element),
            Step::Reset(keep) => client.conversation.messages.truncate(keep),
            Step::Turn(recorded) => {
                let model = recorded.model;
                client.conversation.model = model.unwrap_or(client.conversation.model);
                let turn = client.turn(stage).await;
                let rates = prices.of(&client.conversation.model).rates;
                let bodies = [&turn.got[..], &turn.sent.bytes];
                for ((cache, bill), body) in caches.iter_mut().zip(&mut bills).zip(bodies) {
                    cache.now_ms = cache.now_ms.max(recorded.at_ms);
                    let body = CacheBody::split(session.dialect.path(), body).unwrap();
                    let usage = cache.serve_request(&CacheRequest {
                        head: &head,
                        ..body.request()
                    });
                    *bill += rates.cost(usage);
                }
            }
        }
    }
    bills[0] / bills[1]
}

#[tokio::test]
async fn a_resumed_session_lands_after_a_gap_and_stays_below_direct() {
    let folder = beside_the_package("fixtures/sessions");
    let folder = folder.to_str().unwrap();
    let resumed = ["--resumed-at", "4000", "--min-tokens", "3000", "--compare"];
    for more in [
        &["--ttl", "5m"][..],
        &["--ttl", "1h"],
        &["--worker-delay", "60"],
        &["--model", "claude-opus-5-5"],
    ] {
        let report = replay_json(&[&[folder], &resumed[..], more].concat()).await;
        for (session, ratio) in ratios(&report) {
            assert!(ratio <= 1.0 + 1e-9, "{more:?} {session}: {ratio}");
        }
        let policies = report["policies"].as_array().unwrap();
        let names: Vec<&str> = policies
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "headroom",
                "direct",
                "bound",
                "compress-always",
                "late-landing-as-ready",
                "freeze-after-first-send"
            ]
        );
    }
}

#[tokio::test]
async fn the_table_answers_and_the_page_loads_nothing() {
    let folder = beside_the_package("fixtures/sessions");
    let place = tempfile::TempDir::new().unwrap();
    let page = place.path().join("report.html");
    let ended = replay(&[folder.to_str().unwrap(), "--html", page.to_str().unwrap()]).await;
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let said = String::from_utf8(ended.stdout).unwrap();
    assert!(said.starts_with("These 5 sessions ("), "{said}");
    assert!(said.contains("None cost more through headroom."), "{said}");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains("\"claude-code-arrow\""));
    for load in ["src=", "href=", "url(", "import ", "fetch("] {
        assert!(!page.contains(load), "{load}");
    }
}

#[tokio::test]
async fn what_can_t_be_read_is_named() {
    let place = tempfile::TempDir::new().unwrap();
    let empty = place.path().to_str().unwrap();
    let missing = format!("{empty}/missing.jsonl");
    for (args, named) in [
        (&[missing.as_str()][..], "missing.jsonl"),
        (&[empty], "no transcript"),
        (&["--prices", missing.as_str(), empty], "missing.jsonl"),
    ] {
        let ended = replay(args).await;
        assert!(!ended.status.success());
        let complained = String::from_utf8_lossy(&ended.stderr);
        assert!(complained.contains(named), "{complained}");
    }
}
