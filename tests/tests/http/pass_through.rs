//! What the proxy does not touch: methods, paths, headers by the book, encoded bodies, errors.

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::process::Launch;
use headroom_tests::provider::Reply;
use headroom_tests::raw::RawProvider;
use headroom_tests::stage::Stage;

async fn stage() -> Stage {
    Stage::embedded(|launch| launch).await
}

#[tokio::test]
async fn any_method_path_and_query() {
    let stage = stage().await;
    for (method, target, body) in [
        ("GET", "/v1/models?limit=5&after=a%20b&x", ""),
        ("GET", "/v1/models/claude-opus-4-6", ""),
        ("DELETE", "/v1/files/a%2Fb%3F", ""),
        ("PUT", "/v1/skills/x?beta=true", "{\"a\": 1}"),
        ("PATCH", "/v1/things/1", "not json"),
        ("OPTIONS", "/v1/messages", ""),
        (
            "POST",
            "/v1/messages/count_tokens?beta=true",
            "{\"messages\":[]}",
        ),
        ("POST", "/api/event_logging/batch", "\u{0}\u{1}binary"),
        ("GET", "/v1/responses/resp_1?stream=true", ""),
        ("GET", "/v1/messages", ""),
        ("POST", "/v1//odd/../path", "x"),
    ] {
        let answer = stage.send(&Call::new(method, target).body(body)).await;
        assert_eq!(answer.status(), 200, "{method} {target}");
        let received = stage.provider.next().await;
        assert_eq!(
            (received.method.as_str(), received.target.as_str()),
            (method, target)
        );
        assert_eq!(received.body, body, "{method} {target}");
    }
}

#[tokio::test]
async fn head_has_headers_and_no_body() {
    let stage = stage().await;
    stage.provider.script(Reply::fixed(
        200,
        &[("x-hello", "there"), ("content-length", "12")],
        "",
    ));
    let answer = stage.send(&Call::new("HEAD", "/api/hello")).await;
    assert_eq!((answer.status(), answer.header("x-hello")), (200, "there"));
    assert_eq!(answer.bytes().await, "");
    assert_eq!(stage.provider.next().await.method, "HEAD");
}

#[tokio::test]
async fn headers_go_on_by_the_book() {
    let stage = stage().await;
    for dialect in Dialect::ALL {
        let call = Conversation::new(dialect, "headers")
            .user("hi")
            .call()
            .header("anthropic-beta", "one")
            .header("anthropic-beta", "two,three")
            .header("user-agent", "claude-cli/2.1.329")
            .header("accept-encoding", "gzip, br, zstd")
            .header("connection", "x-private, keep-alive")
            .header("x-private", "for the proxy alone")
            .header("keep-alive", "timeout=5")
            .header("proxy-connection", "keep-alive")
            .header("te", "deflate")
            .header("x-headroom-anything", "ours")
            .header("x-empty", "");
        stage.send(&call).await.bytes().await;
        let received = stage.provider.next().await;
        assert_eq!(received.header("anthropic-beta"), ["one", "two,three"]);
        assert_eq!(received.header("user-agent"), ["claude-cli/2.1.329"]);
        assert_eq!(received.header("accept-encoding"), ["gzip, br, zstd"]);
        assert_eq!(received.header("x-empty"), [""]);
        assert_eq!(
            received.header("content-length"),
            [received.body.len().to_string()]
        );
        assert_eq!(
            received.header("host"),
            [stage.provider.url().replace("http://", "")]
        );
        for gone in [
            "x-private",
            "keep-alive",
            "proxy-connection",
            "te",
            "x-headroom-anything",
            "via",
            "x-forwarded-for",
        ] {
            assert_eq!(received.header(gone), [""; 0], "{gone}");
        }
    }
}

#[tokio::test]
async fn answers_go_back_by_the_book() {
    let stage = stage().await;
    for dialect in Dialect::ALL {
        let headers = [
            ("content-type", "application/json"),
            ("anthropic-ratelimit-requests-remaining", "7"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("connection", "x-hop"),
            ("x-hop", "for this hop"),
            ("request-id", "req_9"),
        ];
        stage
            .provider
            .script(Reply::fixed(200, &headers, "{\"odd\" : 1.0e5}"));
        let answer = stage
            .send(&Conversation::new(dialect, "answers").user("hi").call())
            .await;
        let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(answer.header("anthropic-ratelimit-requests-remaining"), "7");
        assert_eq!(answer.header("request-id"), "req_9");
        assert_eq!(answer.header("x-hop"), "");
        assert_eq!(answer.decision(), "forwarded");
        assert_eq!(answer.header("x-headroom-bytes-saved"), "0");
        assert!(answer.header("x-headroom-request-id").len() >= 16);
        assert_eq!(answer.bytes().await, "{\"odd\" : 1.0e5}");
    }
}

#[tokio::test]
async fn errors_keep_status_headers_and_wording() {
    let stage = stage().await;
    for status in [
        300, 302, 400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529, 599,
    ] {
        let body = format!(
            "{{\"type\":\"error\",\"error\":{{\"message\":\"prompt is too long: {status}\"}}}}"
        );
        let headers = [
            ("retry-after", "17"),
            ("x-should-retry", "true"),
            ("location", "/elsewhere"),
        ];
        for path in [
            "/v1/messages",
            "/v1/chat/completions",
            "/v1/responses",
            "/v1/models",
        ] {
            stage
                .provider
                .script(Reply::fixed(status, &headers, body.clone()));
            let answer = stage
                .send(&Call::post(
                    path,
                    "{\"model\":\"m\",\"messages\":[],\"input\":[]}",
                ))
                .await;
            assert_eq!(answer.status(), status, "{path}");
            assert_eq!(answer.header("retry-after"), "17");
            assert_eq!(answer.header("x-should-retry"), "true");
            assert_eq!(answer.header("location"), "/elsewhere");
            assert_eq!(answer.bytes().await, body);
            // One request and no more: nothing is tried again behind the client's back.
            stage.provider.next().await;
            assert_eq!(stage.provider.untaken(), 0, "{status} {path}");
        }
    }
}

#[tokio::test]
async fn answers_without_a_body() {
    let stage = stage().await;
    for status in [204, 304] {
        stage
            .provider
            .script(Reply::fixed(status, &[("x-kept", "yes")], ""));
        let answer = stage.send(&Call::get("/v1/models")).await;
        assert_eq!((answer.status(), answer.header("x-kept")), (status, "yes"));
        assert_eq!(answer.bytes().await, "");
    }
}

#[tokio::test]
async fn encoded_answers_stay_encoded() {
    let stage = stage().await;
    // Not even what claims an encoding and is none may be looked into or changed.
    for (encoding, bytes) in [
        ("gzip", &b"\x1f\x8b\x08not really"[..]),
        ("br", b"\x0b\x02\x80"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
    ] {
        for dialect in Dialect::ALL {
            let headers = [
                ("content-encoding", encoding),
                ("content-type", "application/json"),
            ];
            stage.provider.script(Reply::fixed(200, &headers, bytes));
            let answer = stage
                .send(&Conversation::new(dialect, "encoded").user("hi").call())
                .await;
            assert_eq!(answer.header("content-encoding"), encoding);
            assert_eq!(answer.bytes().await, bytes);
        }
    }
}

#[tokio::test]
async fn informational_answers_do_not_confuse() {
    let provider = RawProvider::start(
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-final: 1\r\n\r\nok",
    )
    .await;
    let proxy = Launch::proxy_to(&provider.url()).start().await;
    for path in ["/v1/messages", "/v1/models"] {
        let answer = Call::post(path, "{}").send(&proxy.addr()).await;
        assert_eq!((answer.status(), answer.header("x-final")), (200, "1"));
        assert_eq!(answer.bytes().await, "ok");
    }
}

#[tokio::test]
async fn a_bypass_is_left_alone() {
    let stage = stage().await;
    let conversation = Conversation::new(Dialect::Messages, "bypass")
        .user("read")
        .reads(1, 60_000);
    let call = conversation.call().header("x-headroom-bypass", "1");
    let answer = stage.send(&call).await;
    assert_eq!(answer.decision(), "bypassed");
    let received = stage.provider.next().await;
    assert_eq!(received.body, conversation.body().bytes);
    assert_eq!(received.header("x-headroom-bypass"), [""; 0]);
}
