//! `headroom-proxy doctor`, beside real proxies, workers and Redis servers.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::fs;

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::process::Launch;
use headroom_tests::provider::Provider;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::stage::Stage;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Runs it: the exit code and what it found.
async fn doctor(launch: Launch) -> (i32, Value) {
    let output = launch.args(&["doctor", "--json"]).run().await;
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let document: Value = text.parse().unwrap_or_else(|_| panic!("{text}{said}"));
    assert!(
        !text.contains("hunter2") && !said.contains("hunter2"),
        "{text}{said}"
    );
    let code = output.status.code().unwrap();
    assert_eq!(document["ok"], code == 0, "{text}");
    (code, document)
}

/// Status and detail of the first check of this name.
fn found(document: &Value, name: &str) -> (String, String) {
    let checks = document["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name);
    let check = check.unwrap_or_else(|| panic!("{name}: {document:#}"));
    let text = |field: &str| check[field].as_str().unwrap().to_owned();
    assert_eq!(check["status"] != "ok", check["fix"].is_string(), "{check}");
    (text("status"), text("detail"))
}

#[track_caller]
fn assert_found(document: &Value, name: &str, status: &str, says: &str) {
    let (has_status, detail) = found(document, name);
    assert!(
        has_status == status && detail.contains(says),
        "{name} is {has_status}: {detail}; not {status}: {says}"
    );
}

#[tokio::test]
async fn a_machine_on_which_nothing_runs_yet_is_well() {
    let provider = Provider::start().await;
    let (code, document) = doctor(Launch::proxy(&provider)).await;
    assert_eq!(code, 0, "{document:#}");
    assert_found(&document, "listener", "ok", "is free");
    assert_found(&document, "data_folder", "ok", "free");
    assert_found(&document, "store", "ok", "no embedded store yet");
    assert_found(&document, "provider", "ok", "can be reached");
    assert_found(&document, "client", "ok", "headroom-proxy wrap");
    assert_eq!(provider.untaken(), 0);
}

#[tokio::test]
async fn lines_are_for_people() {
    let provider = Provider::start().await;
    let launch = Launch::proxy(&provider).set("HEADROOM_HOST", "192.0.2.1");
    let output = launch.args(&["doctor"]).run().await;
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("\u{2717} listener: a proxy can't listen at http://192.0.2.1:"),
        "{text}"
    );
    assert!(
        text.contains(" \u{2192} set HEADROOM_HOST") && text.contains("\n\u{2713} data_folder: "),
        "{text}"
    );
}

#[tokio::test]
async fn a_proxy_that_runs_has_its_address_and_its_store() {
    let stage = Stage::embedded(|launch| launch).await;
    let addr = stage.addr();
    let port = addr.rsplit(':').next().unwrap();
    let here = Launch::proxy(&stage.provider)
        .set("HEADROOM_PORT", port)
        .set("ANTHROPIC_BASE_URL", format!("http://localhost:{port}"))
        .set("OPENAI_BASE_URL", "http://me:hunter2@gateway.example/v1");
    let (code, document) = doctor(here).await;
    assert_eq!(code, 0, "{document:#}");
    assert_found(
        &document,
        "listener",
        "ok",
        &format!("answers at http://{addr}"),
    );
    assert_found(&document, "client", "ok", "this proxy");
    let texts = document.to_string();
    assert!(
        texts.contains("OPENAI_BASE_URL in the environment is (not shown)"),
        "{texts}"
    );
}

#[tokio::test]
async fn what_another_program_has_is_told() {
    let provider = Provider::start().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let launch = Launch::proxy(&provider).set("HEADROOM_PORT", port);
    let (code, document) = doctor(launch).await;
    assert_eq!(code, 1);
    assert_found(&document, "listener", "failed", "another program listens");

    // A store that is damaged, and one that a proxy has open which listens elsewhere.
    let folder = TempDir::new().unwrap();
    let path = folder.path().display().to_string();
    let launch = Launch::proxy(&provider).set("HEADROOM_DATA_DIR", &path);
    let elsewhere = launch
        .clone()
        .set("HEADROOM_PORT", headroom_tests::ports::free_port());
    let proxy = launch.start().await;
    let (code, document) = doctor(elsewhere.clone()).await;
    assert_eq!(code, 0, "{document:#}");
    assert_found(
        &document,
        "store",
        "ok",
        &format!("http://{}", proxy.addr()),
    );
    drop(proxy);
    assert_found(&doctor(elsewhere.clone()).await.1, "store", "ok", "opens");
    fs::write(folder.path().join("headroom.redb"), "not a database at all").unwrap();
    let (code, document) = doctor(elsewhere).await;
    assert_eq!(code, 1);
    assert_found(&document, "store", "failed", "damaged");
}

#[tokio::test]
async fn a_provider_that_can_t_be_reached_is_told() {
    let provider = Provider::start().await;
    let port = headroom_tests::ports::free_port();
    let launch = Launch::proxy(&provider)
        .set("OPENAI_TARGET_API_URL", format!("http://127.0.0.1:{port}"))
        .set("HTTP_PROXY", format!("http://me:hunter2@127.0.0.1:{port}"))
        .set("NO_PROXY", provider.url().trim_start_matches("http://"));
    let (code, document) = doctor(launch).await;
    assert_eq!(code, 1);
    let says = format!("can't be reached through the proxy 127.0.0.1:{port}");
    assert!(document.to_string().contains(&says), "{document:#}");
}

#[tokio::test]
async fn redis_and_its_workers_are_looked_at() {
    let provider = Provider::start().await;
    let mut redis = RedisServer::absent();
    let launch =
        |redis: &RedisServer| Launch::proxy(&provider).set("HEADROOM_REDIS_URL", redis.url());
    let (code, document) = doctor(launch(&redis)).await;
    assert_eq!(code, 1);
    assert_found(&document, "redis", "failed", "127.0.0.1");

    redis.start_again().await;
    let (code, document) = doctor(launch(&redis)).await;
    assert_eq!(code, 1);
    assert_found(&document, "redis", "ok", "answers and fits");
    assert_found(&document, "redis_memory", "warning", "no maxmemory");
    assert_found(&document, "redis_rights", "ok", "may run");
    assert_found(&document, "redis_clock", "ok", "agree");
    assert_found(&document, "secret", "ok", "no secret of this namespace yet");
    assert_found(&document, "workers", "failed", "0 workers are alive");

    let _worker = Launch::worker(&redis.url()).start().await;
    let proxy = launch(&redis).start().await;
    let conversation = Conversation::new(Dialect::Messages, "doctor").user("Find the bug.");
    conversation.call().send(&proxy.addr()).await.bytes().await;
    let port = proxy.addr().rsplit(':').next().unwrap().to_owned();
    let (code, document) = doctor(launch(&redis).set("HEADROOM_PORT", port)).await;
    assert_eq!(code, 0, "{document:#}");
    assert_found(&document, "workers", "ok", "1 workers are alive");
    assert_found(&document, "secret", "ok", "share");

    let () = redis
        .command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])
        .await;
    let (code, document) = doctor(launch(&redis)).await;
    assert_eq!(code, 1);
    assert_found(&document, "redis", "failed", "maxmemory-policy allkeys-lru");
}

#[tokio::test]
async fn rights_that_a_redis_user_lacks_are_named() {
    let (provider, redis) = (Provider::start().await, RedisServer::start().await);
    let rules = ["on", ">hunter2", "~headroom:*", "+@all", "-eval", "-script"];
    let () = redis
        .command(&[&["ACL", "SETUSER", "me"], &rules[..]].concat())
        .await;
    let url = redis.url_as("me:hunter2");
    let (code, document) = doctor(Launch::proxy(&provider).set("HEADROOM_REDIS_URL", url)).await;
    assert_eq!(code, 1);
    assert_found(&document, "redis_rights", "failed", "EVAL, SCRIPT LOAD");

    let wrong = redis.url_as("me:hunter22");
    let (code, document) = doctor(Launch::proxy(&provider).set("HEADROOM_REDIS_URL", wrong)).await;
    assert_eq!(code, 1);
    assert_found(&document, "redis", "failed", "refuses this login");
}
