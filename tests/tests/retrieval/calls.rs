//! Calls of the tool.

use headroom_tests::retrieval::retrieve;
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use serde_json::json;

use super::{ID, KEY, embedded, over_redis, put};

const TEXT: &str = "first \"line\"\r\nsecond\tline\u{1}\n\u{e9}\u{1F600} third\n";

/// Checks what calls return of [`TEXT`], and how they are counted.
async fn returns_the_text(stage: &Stage) {
    let whole = retrieve(stage, &json!({"id": ID})).await;
    assert_eq!(whole, (TEXT.to_owned(), false));
    let lines = retrieve(stage, &json!({"id": ID, "lines": "2-"})).await;
    let expected = "[lines 2-4 of 4]\nsecond\tline\u{1}\n\u{e9}\u{1F600} third\n";
    assert_eq!(lines, (expected.to_owned(), false));
    let (found, is_error) = retrieve(stage, &json!({"id": ID, "pattern": "line\"$"})).await;
    assert!(
        !is_error
            && found
                .ends_with("\n1:first \"line\"\r\n2-second\tline\u{1}\n3-\u{e9}\u{1F600} third")
    );
    let stats = &stage.stats().await["retrieval"];
    let bytes = TEXT.len() + expected.len() + found.len();
    assert_eq!(stats["calls"]["found"], 3, "{stats}");
    assert_eq!(stats["bytes"], bytes, "{stats}");
}

#[tokio::test]
async fn the_text_is_returned_from_the_embedded_store() {
    let (stage, _folder) = embedded(TEXT).await;
    returns_the_text(&stage).await;
}

#[tokio::test]
async fn the_text_is_returned_from_redis_and_lives_on() {
    let stage = over_redis(TEXT).await;
    returns_the_text(&stage).await;
    let left: i64 = stage.redis().command(&["PTTL", KEY]).await;
    assert!(left > 3_600_000, "{left}");
}

#[tokio::test]
async fn replicas_answer_alike() {
    let stage = over_redis(TEXT).await;
    let url = stage.redis().url();
    let other = Stage::at(&url, |launch| launch).await;
    let asked = json!({"id": ID, "lines": "1"});
    assert_eq!(
        retrieve(&stage, &asked).await,
        retrieve(&other, &asked).await
    );
}

#[tokio::test]
async fn a_text_that_is_gone_is_told() {
    let stage = over_redis(TEXT).await;
    let unknown = json!({"id": "00000000000000aa"});
    let (said, is_error) = retrieve(&stage, &unknown).await;
    assert!(is_error && said.contains("is gone"), "{said}");
    // No text: half of a character, and what can't stand in a string.
    for broken in ["a\\ud83d", "a\"b"] {
        put(&stage, broken).await;
        let (said, is_error) = retrieve(&stage, &json!({"id": ID})).await;
        assert!(is_error && said.contains("is gone"), "{said}");
    }
    assert_eq!(stage.stats().await["retrieval"]["calls"]["gone"], 3);
}

#[tokio::test]
async fn bad_arguments_are_told_with_what_is_right() {
    let stage = over_redis(TEXT).await;
    for (arguments, says) in [
        (json!({"id": "nonsense"}), "16 hexadecimal digits"),
        (json!({"id": ID, "lines": "x"}), "\"41-77\""),
        (
            json!({"id": ID, "lines": "9-12"}),
            "the text has 4 lines only",
        ),
        (json!({"id": ID, "pattern": "("}), "can't be used"),
    ] {
        let (said, is_error) = retrieve(&stage, &arguments).await;
        assert!(is_error && said.contains(says), "{arguments}: {said}");
    }
    let metrics = stage
        .send(&headroom_tests::http::Call::get("/metrics"))
        .await;
    let metrics = String::from_utf8(metrics.bytes().await.to_vec()).unwrap();
    assert!(
        metrics.contains("headroom_retrievals_total{outcome=\"refused\"} 4"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_store_that_is_away_is_told_and_found_again() {
    let mut stage = over_redis(TEXT).await;
    let asked = json!({"id": ID});
    stage.redis.as_mut().unwrap().kill();
    let (said, is_error) = retrieve(&stage, &asked).await;
    assert!(is_error && said.contains("try again"), "{said}");
    stage.redis.as_mut().unwrap().start_again().await;
    put(&stage, "again").await;
    wait::eventually("the text to be returned", async || {
        let (said, is_error) = retrieve(&stage, &asked).await;
        (!is_error && said == "again").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_large_text_is_returned_whole_and_not_logged() {
    let text = "a secret line of some length\n".repeat(200_000);
    let mut stage = Stage::with_redis(|launch| launch.set("HEADROOM_LOG", "trace")).await;
    put(&stage, &super::escaped(&text)).await;
    let (said, is_error) = retrieve(&stage, &json!({"id": ID})).await;
    assert!(!is_error);
    let (first, rest) = said.split_once('\n').unwrap();
    assert!(first.starts_with("[all 200001 lines, about "), "{first}");
    assert!(rest == text);
    let log = stage.proxy().whole_log().await;
    assert!(!log.contains("secret line") && !log.contains(ID));
}

#[tokio::test]
async fn a_text_for_which_there_is_no_memory_is_told_and_others_are_returned() {
    let stage = Stage::with_redis(|launch| launch.set("HEADROOM_MAX_MEMORY", "8MiB")).await;
    let asked = json!({"id": ID});
    put(&stage, &"x".repeat(4 << 20)).await;
    let (said, is_error) = retrieve(&stage, &asked).await;
    assert!(
        is_error && said.contains("no memory") && said.contains("try again"),
        "{said}"
    );
    assert_eq!(stage.stats().await["retrieval"]["calls"]["over_memory"], 1);
    // Each takes almost half of it, and gives it back.
    let text = "x".repeat(600 << 10);
    put(&stage, &text).await;
    for _ in 0..6 {
        let (said, is_error) = retrieve(&stage, &asked).await;
        assert!(!is_error && said.ends_with(&text), "{}", &said[..200]);
    }
}
