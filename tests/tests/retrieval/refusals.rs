//! Requests that are answered nothing.

use headroom_tests::http::Call;
use headroom_tests::process::Launch;
use headroom_tests::retrieval::{call, post};
use headroom_tests::stage::Stage;
use serde_json::json;

use super::{ID, over_redis};

#[tokio::test]
async fn pages_and_other_names_of_this_address_are_refused() {
    let stage = over_redis("the text").await;
    let asked = || post(call(&json!({"id": ID})));
    for (name, value, status) in [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("host", "evil.example", 403),
        ("origin", "http://localhost:3000", 200),
        ("host", "localhost", 200),
    ] {
        let answer = stage.send(&asked().header(name, value)).await;
        assert_eq!(answer.status(), status, "{name}: {value}");
        let said = String::from_utf8(answer.bytes().await.to_vec()).unwrap();
        assert_eq!(said.contains("the text"), status == 200, "{said}");
    }
    assert_eq!(stage.stats().await["retrieval"]["calls"]["found"], 2);
    assert_eq!(stage.provider.untaken(), 0);
}

#[tokio::test]
async fn whoever_looks_for_authorization_is_told_that_there_is_none() {
    let stage = over_redis("the text").await;
    for path in ["oauth-protected-resource/mcp", "oauth-authorization-server"] {
        let asked = Call::get(&format!("/.well-known/{path}"));
        assert_eq!(stage.send(&asked).await.status(), 404, "{path}");
    }
    assert_eq!(stage.provider.untaken(), 0);
}

#[tokio::test]
async fn names_that_are_allowed_are_answered() {
    let allowed = |launch: Launch| launch.set("HEADROOM_ALLOWED_HOSTS", "tools.example");
    let stage = Stage::with_redis(allowed).await;
    let asked = post(call(&json!({"id": ID})))
        .header("host", "tools.example")
        .header("origin", "https://tools.example");
    assert_eq!(stage.send(&asked).await.status(), 200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_the_next_is_heard() {
    let stage = over_redis("the text").await;
    let large = call(&json!({"id": ID, "pattern": "a".repeat(1 << 20)}));
    assert_eq!(stage.send(&post(large)).await.status(), 413);
    let small = call(&json!({"id": ID}));
    assert_eq!(stage.send(&post(small)).await.status(), 200);
}

#[tokio::test]
async fn what_is_no_message_is_refused() {
    let stage = over_redis("the text").await;
    for body in ["", "{", "[]", "{\"jsonrpc\":\"2.0\"}", "\u{0}"] {
        let answer = stage.send(&post(body)).await;
        assert!((400..500).contains(&answer.status()), "{body:?}");
    }
    let nested = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    let answer = stage.send(&post(nested)).await;
    assert!((400..500).contains(&answer.status()));
}
