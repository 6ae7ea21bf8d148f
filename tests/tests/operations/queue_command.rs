//! `headroom-proxy queue` on the queue of a proxy without Redis, and on that in Redis.

use headroom_tests::client::Client;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::process::Launch;
use headroom_tests::stage::Stage;
use serde_json::Value;

/// What a command ended with: its code, and what it printed and complained of.
async fn queue(launch: &Launch, words: &str) -> (Option<i32>, String, String) {
    let words: Vec<&str> = ["queue"].into_iter().chain(words.split(' ')).collect();
    let output = launch.clone().args(&words).run().await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[tokio::test]
async fn a_proxy_without_redis_tells_of_its_queue() {
    let mut launch = None;
    let mut stage = Stage::embedded(|proxy| {
        let proxy = proxy
            .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", 5000)
            .patient();
        launch = Some(proxy.clone());
        proxy
    })
    .await;
    let launch = launch.unwrap();
    let cold_start = Conversation::new(Dialect::Messages, "queue")
        .user("Find the bug.")
        .reads(1, 20_000)
        .reads(2, 20_000)
        .assistant("Found it.")
        .user("Fix it.");
    Client::new(cold_start).turn(&stage).await;
    stage.until_done(1).await;

    let (code, printed, _) = queue(&launch, "status --json").await;
    let status: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, &status["totals"]["done"]), (Some(0), &1.into()));
    assert_eq!(status["workers"][0]["alive"], true);
    let (code, printed, _) = queue(&launch, "status").await;
    let first = format!("queue embedded at http://{}", stage.addr());
    assert_eq!((code, printed.lines().next()), (Some(0), Some(&*first)));
    let (_, printed, _) = queue(&launch, "list --json").await;
    assert_eq!(printed, "{\"jobs\":[],\"more\":0}\n");
    let (_, printed, _) = queue(&launch, "dead --json --limit 1").await;
    assert_eq!(printed, "{\"dead\":[],\"more\":0}\n");
    let (code, printed, _) = queue(&launch, "replay --all --json").await;
    assert_eq!(
        (code, &*printed),
        (Some(0), "{\"replayed\":[],\"refused\":[]}\n")
    );

    // It has the token from the data folder, where others can't read it.
    let (code, _, error) = queue(&launch, "drop no/such").await;
    assert_eq!(code, Some(1));
    assert!(error.contains("no job has the id \"no/such\""), "{error}");
    let (code, _, error) = queue(&launch, "pause").await;
    assert_eq!(code, Some(1));
    assert!(error.contains("can't be paused"), "{error}");
    let elsewhere = tempfile::tempdir().unwrap();
    let other = launch
        .clone()
        .set("HEADROOM_DATA_DIR", elsewhere.path().display());
    let (code, _, error) = queue(&other, "drop any").await;
    assert_eq!(code, Some(1));
    assert!(error.contains("HEADROOM_DATA_DIR"), "{error}");

    stage.proxy().kill();
    let (code, _, error) = queue(&launch, "status").await;
    assert_eq!(code, Some(1));
    assert!(error.contains("no proxy answers at"), "{error}");
}

#[tokio::test]
async fn with_redis_it_is_what_the_worker_has() {
    let mut launch = None;
    let stage = Stage::with_redis(|proxy| {
        launch = Some(proxy.clone());
        proxy
    })
    .await;
    let (code, printed, _) = queue(&launch.unwrap(), "pause --json").await;
    assert_eq!(
        (code, &*printed),
        (Some(0), "{\"paused\":true,\"was_paused\":false}\n")
    );
    let paused: bool = stage.redis().command(&["EXISTS", "headroom:paused"]).await;
    assert!(paused);
}
