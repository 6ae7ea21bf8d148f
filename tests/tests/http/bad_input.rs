//! Bad bodies, bad settings, and servers that are away.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::ports::free_port;
use headroom_tests::process::Launch;
use headroom_tests::provider::Provider;
use headroom_tests::redis_server::RedisServer;
use headroom_tests::stage::Stage;
use headroom_tests::tcp_proxy::{Line, TcpProxy};
use headroom_tests::wait;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PATHS: [&str; 3] = ["/v1/messages", "/v1/chat/completions", "/v1/responses"];

/// An error of the proxy's own in the shape of the path's provider.
fn assert_error_shape(path: &str, document: &Value) {
    let error = &document["error"];
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{document}"
    );
    assert!(error["type"].is_string(), "{document}");
    if path == "/v1/messages" {
        assert_eq!(document["type"], "error", "{document}");
    } else {
        assert!(
            error.get("code").is_some() && error.get("param").is_some(),
            "{document}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_forwarded() {
    let stage = Stage::embedded(|launch| launch).await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: [Vec<u8>; 16] = [
        b"".to_vec(),
        b"{".to_vec(),
        b"nonsense".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        br#"{"model":"claude-opus-4-6","messages":[{"role":"user","content":"hi"#.to_vec(),
        br#"{"messages":7,"input":7,"model":7}"#.to_vec(),
        br#"{"messages":[7,null,"x",[]],"input":[7,null,"x",[]]}"#.to_vec(),
        br#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":[[{"text":1}]]}]}],"input":[{"type":"function_call_output","output":{}}]}"#.to_vec(),
        br#"{"messages":[{"role":"user","content":"\ud800 lone"}],"input":"\ud800"}"#.to_vec(),
        br#"{"messages":[],"messages":[{"role":"tool","content":"twice"}],"input":[],"input":[]}"#.to_vec(),
        b"{\"messages\":[{\"role\":\"tool\",\"content\":\"raw \x01 control\"}]}".to_vec(),
        br#"{"messages":[]} trailing"#.to_vec(),
        format!(r#"{{"messages":{deep},"input":{deep}}}"#).into_bytes(),
        b"\xef\xbb\xbf{\"messages\":[]}".to_vec(),
    ];
    for path in PATHS {
        for body in &bodies {
            let answer = stage.send(&Call::post(path, body.clone())).await;
            let head = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            assert_eq!(
                (answer.status(), answer.decision().as_str()),
                (200, "forwarded"),
                "{path} {head}"
            );
            assert_eq!(stage.provider.next().await.body, *body, "{path} {head}");
        }
    }
}

#[tokio::test]
async fn too_large_a_body_is_refused_in_the_provider_s_shape() {
    let stage = Stage::embedded(|launch| launch).await;
    let body = vec![b' '; 65 << 20];
    for path in PATHS {
        let answer = stage.send(&Call::post(path, body.clone())).await;
        assert_eq!(answer.status(), 413, "{path}");
        assert_error_shape(path, &answer.json().await);
    }
    assert_eq!(stage.provider.untaken(), 0);
    stage
        .exchange(&Call::post(PATHS[0], vec![b' '; 63 << 20]))
        .await;
}

#[tokio::test]
async fn a_chunked_body_is_bounded_too() {
    let stage = Stage::embedded(|launch| launch.set("HEADROOM_MAX_BODY_BYTES", 1000)).await;
    let head = "POST /v1/messages HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("258\r\n{}\r\n", " ".repeat(600));
    let answer = raw(&stage, format!("{head}{chunk}{chunk}0\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(stage.provider.untaken(), 0);
}

#[tokio::test]
async fn a_length_that_lies_reaches_nobody() {
    let stage = Stage::embedded(|launch| launch).await;
    for path in PATHS {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{{\"messages\":"
        );
        let mut stream = TcpStream::connect(stage.addr()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        let _ = wait::soon("the proxy to give up", stream.read_to_string(&mut answer)).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
            "{answer}"
        );
    }
    let request = "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\n{}     ";
    let answer = raw(&stage, request.as_bytes()).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
        "{answer}"
    );
    assert_eq!(stage.provider.untaken(), 0);
    stage
        .exchange(
            &Conversation::new(Dialect::Messages, "after")
                .user("hi")
                .call(),
        )
        .await;
}

/// Sends bytes and reads what comes back until the connection closes or the answer's head is there.
async fn raw(stage: &Stage, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(stage.addr()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![0; 64 * 1024];
    let length = wait::soon("an answer", stream.read(&mut answer))
        .await
        .unwrap_or(0);
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn an_upstream_that_is_away_is_a_502_in_its_shape() {
    let proxy = Launch::proxy_to(&format!("http://127.0.0.1:{}", free_port()))
        .start()
        .await;
    for path in PATHS {
        let answer = Call::post(path, "{\"messages\":[],\"input\":[]}")
            .send(&proxy.addr())
            .await;
        assert_eq!(answer.status(), 502, "{path}");
        assert!(!answer.header("x-headroom-request-id").is_empty());
        assert_error_shape(path, &answer.json().await);
    }
    let answer = Call::get("/v1/models").send(&proxy.addr()).await;
    assert_eq!(answer.status(), 502);
}

#[tokio::test]
async fn an_upstream_that_hangs_up_is_a_502() {
    let stage = Stage::embedded(|launch| launch).await;
    for path in PATHS {
        stage
            .provider
            .script(headroom_tests::provider::Reply::HangUp);
        let answer = stage
            .send(&Call::post(path, "{\"messages\":[],\"input\":[]}"))
            .await;
        assert_eq!(answer.status(), 502, "{path}");
        assert_error_shape(path, &answer.json().await);
    }
}

#[tokio::test]
async fn redis_may_be_away_at_the_start() {
    let provider = Provider::start().await;
    let line = TcpProxy::start(free_port()).await;
    line.set(Line::Cut);
    let url = format!("redis://127.0.0.1:{}", line.port());
    let launch = Launch::proxy(&provider).set("HEADROOM_REDIS_URL", url);
    let proxy = launch.alive_is_enough().start().await;
    let conversation = Conversation::new(Dialect::Messages, "away")
        .user("Read.")
        .reads(1, 60_000);
    let answer = conversation.call().send(&proxy.addr()).await;
    assert_eq!(
        (answer.status(), answer.decision().as_str()),
        (200, "forwarded")
    );
    assert_eq!(provider.next().await.body, conversation.body().bytes);
    assert_eq!(Call::get("/readyz").send(&proxy.addr()).await.status(), 503);
    assert_eq!(Call::get("/stats").send(&proxy.addr()).await.status(), 200);
}

#[tokio::test]
async fn a_redis_that_does_not_answer_holds_nothing_up() {
    let redis = RedisServer::start().await;
    let line = TcpProxy::start(redis.port()).await;
    let provider = Provider::start().await;
    let url = format!("redis://127.0.0.1:{}", line.port());
    let proxy = Launch::proxy(&provider)
        .set("HEADROOM_REDIS_URL", url)
        .start()
        .await;
    line.set(Line::HalfOpen);
    let conversation = Conversation::new(Dialect::Messages, "half-open")
        .user("Read.")
        .reads(1, 60_000);
    for _ in 0..3 {
        let answer = conversation.call().send(&proxy.addr()).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(provider.next().await.body, conversation.body().bytes);
    }
}

#[tokio::test]
async fn a_bad_setting_is_one_clear_line() {
    let proxy = || Launch::proxy_to("http://127.0.0.1:1");
    let worker = || Launch::worker("redis://127.0.0.1:1");
    for (launch, name, value) in [
        (proxy(), "HEADROOM_PORT", "eighty"),
        (proxy(), "HEADROOM_MAX_BODY_BYTES", "64MiB"),
        (proxy(), "HEADROOM_STORE_BUDGET_MS", "-1"),
        (proxy(), "ANTHROPIC_TARGET_API_URL", "api.anthropic.com"),
        (proxy(), "HEADROOM_TENANT_HEADER", "no header"),
        (proxy(), "HEADROOM_RETENTION_HOURS", "0"),
        (proxy(), "HEADROOM_NAMESPACE", "a b"),
        (proxy(), "HEADROOM_LOG_FORMAT", "xml"),
        (worker(), "HEADROOM_WORKER_PORT", "eighty"),
        (worker(), "HEADROOM_LOG_FORMAT", "xml"),
    ] {
        let output = launch.set(name, value).run().await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{said}");
        assert!(
            said.contains(name) && said.contains(value) && said.contains("takes"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_password_is_never_shown() {
    for launch in [
        Launch::proxy_to("http://127.0.0.1:1"),
        Launch::worker("redis://x"),
    ] {
        let output = launch
            .set("HEADROOM_REDIS_URL", "http://me:hunter2@x")
            .run()
            .await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("HEADROOM_REDIS_URL") && !said.contains("hunter2"),
            "{said}"
        );
    }
    let url = format!("redis://me:hunter2@127.0.0.1:{}", free_port());
    let launch = Launch::proxy_to("http://127.0.0.1:1").set("HEADROOM_REDIS_URL", url);
    let mut proxy = launch
        .set("HEADROOM_LOG", "trace")
        .alive_is_enough()
        .start()
        .await;
    Call::get("/readyz").send(&proxy.addr()).await.bytes().await;
    proxy.terminate(wait::DEADLINE).await;
    assert!(!proxy.log().contains("hunter2"));
}

#[tokio::test]
async fn the_values_that_clamp_are_no_error() {
    let set = |it: Launch| {
        it.set("HEADROOM_BACKGROUND_COMPRESSION_WORKERS", "none")
            .set("HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS", "many")
    };
    Stage::embedded(set).await;
}
