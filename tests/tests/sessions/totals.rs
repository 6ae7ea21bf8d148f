//! What the proxies of a deployment count together outlives them, and they add it up.

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::process::Launch;
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use serde_json::Value;

const DIALECT: &str = "anthropic.messages";

/// How many requests are known of, as it says in `/stats`.
fn requests(stats: &Value) -> Option<u64> {
    stats["expected_reads"][DIALECT]["requests"].as_u64()
}

/// The requests of all days, and what they cost.
fn cost_of_days(stats: &Value) -> (u64, f64) {
    let days = stats["cost"]["days"].as_array().into_iter().flatten();
    let requests = days.clone().filter_map(|day| day["requests"].as_u64());
    let usd = days.filter_map(|day| day["usd"].as_f64());
    (requests.sum(), usd.sum())
}

/// A conversation of three requests, each large enough to tell something.
async fn converse(stage: &Stage, name: &str) {
    let conversation = Conversation::new(Dialect::Messages, name).user(name);
    let mut client = Client::new(conversation.reads(1, 40_000));
    for seed in 0..3 {
        assert_eq!(client.turn(stage).await.decision, "compressed");
        client.grow(|it| it.reads(seed + 10, 9000));
    }
}

/// Waits until a proxy knows of so many requests or more: of its own, and of those that others have shared by now.
async fn until_known(stage: &Stage, count: u64) -> Value {
    let known = |stats: &Value| requests(stats) >= Some(count);
    stage.until("the requests to be known", known).await
}

#[tokio::test]
async fn the_totals_outlive_a_restart_on_the_embedded_store() {
    let mut stage = Stage::embedded(Launch::patient).await;
    converse(&stage, "first").await;
    until_known(&stage, 3).await;
    let billed = |stats: &Value| stats["cost"]["requests"] == 3;
    let before = stage.until("the requests to be billed", billed).await;
    assert!(stage.proxy().terminate(wait::DEADLINE).await.success());
    stage.proxy().start_again().await;
    let after = until_known(&stage, 3).await;
    assert_eq!(after["expected_reads"], before["expected_reads"]);
    // What it cost by day is all that was billed, and the rest of the costs are those of the process.
    assert_eq!(after["cost"]["days"], before["cost"]["days"]);
    let (requests, usd) = cost_of_days(&after);
    assert_eq!(requests, 3);
    assert!((usd - before["cost"]["usd"].as_f64().unwrap()).abs() < 1e-9);
    assert_eq!(after["cost"]["requests"], 0);
}

#[tokio::test]
async fn proxies_of_a_deployment_add_up_what_they_count() {
    let mut stage = Stage::with_redis(Launch::patient).await;
    converse(&stage, "first").await;
    until_known(&stage, 3).await;
    assert!(stage.proxy().terminate(wait::DEADLINE).await.success());
    // Another one, which has read what there was when it started.
    let mut other = Stage::at(&stage.redis().url(), Launch::patient).await;
    until_known(&other, 3).await;
    stage.proxy().start_again().await;
    until_known(&stage, 3).await;
    converse(&stage, "second").await;
    until_known(&stage, 6).await;
    converse(&other, "third").await;
    until_known(&other, 6).await;
    assert!(stage.proxy().terminate(wait::DEADLINE).await.success());
    assert!(other.proxy().terminate(wait::DEADLINE).await.success());
    stage.proxy().start_again().await;
    let together = until_known(&stage, 9).await;
    assert_eq!(requests(&together), Some(9));
    assert_eq!(cost_of_days(&together).0, 9);
}

#[tokio::test]
async fn what_can_not_be_read_in_its_place_begins_anew_and_what_is_newer_stays() {
    let mut stage = Stage::with_redis(Launch::patient).await;
    let key = "headroom:totals";
    let newer = r#"{"v":99,"more":1}"#;
    for stored in ["nonsense", newer] {
        assert!(stage.proxy().terminate(wait::DEADLINE).await.success());
        let () = stage.redis().command(&["SET", key, stored]).await;
        stage.proxy().start_again().await;
        converse(&stage, stored).await;
        until_known(&stage, 3).await;
        assert!(stage.proxy().terminate(wait::DEADLINE).await.success());
        let now: String = stage.redis().command(&["GET", key]).await;
        let written = format!("{DIALECT:?}:{{\"requests\":[0,1,2,");
        let is_as_expected = match stored == newer {
            true => now == newer,
            false => now.contains(&written),
        };
        assert!(is_as_expected, "{now}");
        stage.proxy().start_again().await;
    }
}
