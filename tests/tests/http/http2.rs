//! Clients that speak HTTP/2: the same answers, many at once, each stream for itself.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::{Answer, Call, Http2};
use headroom_tests::provider::{Gate, Reply};
use headroom_tests::stage::Stage;
use headroom_tests::tcp_proxy::{Line, TcpProxy};
use headroom_tests::wait;
use tokio::task::JoinSet;

const SSE: [(&str, &str); 1] = [("content-type", "text/event-stream")];

async fn stage() -> (Stage, Http2) {
    let stage = Stage::embedded(|launch| launch).await;
    let client = Http2::connect(&stage.addr()).await;
    (stage, client)
}

fn calls() -> Vec<Call> {
    let talk = |dialect| Conversation::new(dialect, "http2").user("hi").call();
    let mut calls: Vec<Call> = Dialect::ALL.into_iter().map(talk).collect();
    calls.push(Call::get("/v1/responses/resp_1?stream=true"));
    calls
}

/// A stream of which one piece has arrived.
async fn begun(stage: &Stage, client: &Http2, call: &Call) -> (Gate, Answer) {
    let (gate, reply) = Reply::gated(200, &SSE);
    stage.provider.script(reply);
    let mut answer = client.send(call).await;
    gate.send("data: 1\n\n").await;
    assert_eq!(answer.chunk().await.expect("a piece"), "data: 1\n\n");
    (gate, answer)
}

#[tokio::test]
async fn requests_and_answers_are_the_same() {
    let (stage, client) = stage().await;
    for dialect in Dialect::ALL {
        let conversation = Conversation::new(dialect, "http2").user("hi");
        let headers = [
            ("x-kept", "1"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
        ];
        stage
            .provider
            .script(Reply::fixed(429, &headers, "{\"odd\" : 1.0e5}"));
        let call = conversation
            .call()
            .header("cookie", "a=1")
            .header("cookie", "b=2; c=3");
        let call = call
            .header("x-multi", "1")
            .header("x-multi", "2")
            .header("x-headroom-x", "1");
        let answer = client.send(&call).await;
        assert_eq!((answer.status(), answer.header("x-kept")), (429, "1"));
        let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(
            (answer.header("x-hop"), answer.header("keep-alive")),
            ("", "")
        );
        assert_eq!(answer.decision(), "forwarded");
        assert_eq!(answer.bytes().await, "{\"odd\" : 1.0e5}");
        let received = stage.provider.next().await;
        assert_eq!(received.body, conversation.body().bytes);
        assert_eq!(
            received.header("host"),
            [stage.provider.url().replace("http://", "")]
        );
        assert_eq!(
            received.header("content-length"),
            [received.body.len().to_string()]
        );
        // What HTTP/2 may send apart is one line on HTTP/1.1.
        assert_eq!(received.header("cookie"), ["a=1; b=2; c=3"]);
        assert_eq!(received.header("x-multi"), ["1", "2"]);
        assert_eq!(received.header("x-headroom-x"), [""; 0]);
    }
}

#[tokio::test]
async fn any_method_and_path() {
    let (stage, client) = stage().await;
    for (method, target, body) in [
        ("GET", "/v1/models?limit=5&after=a%20b", ""),
        ("DELETE", "/v1/files/a%2Fb", ""),
        ("POST", "/v1/messages/count_tokens", "{}"),
    ] {
        let answer = client.send(&Call::new(method, target).body(body)).await;
        assert_eq!(answer.status(), 200, "{method} {target}");
        let received = stage.provider.next().await;
        assert_eq!(
            (received.method.as_str(), received.target.as_str()),
            (method, target)
        );
        assert_eq!(received.body, body);
    }
    let head = client.send(&Call::new("HEAD", "/api/hello")).await;
    assert_eq!((head.status(), head.bytes().await), (200, Bytes::new()));
}

#[tokio::test]
async fn large_bodies_both_ways() {
    let (stage, client) = stage().await;
    let large: Vec<u8> = (0..8_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    for path in ["/v1/messages", "/v1/files"] {
        stage.provider.script(Reply::fixed(200, &[], large.clone()));
        let answer = client.send(&Call::post(path, large.clone())).await;
        assert!(answer.bytes().await == large, "{path}: another answer");
        assert!(
            stage.provider.next().await.body == large,
            "{path}: another body"
        );
    }
    let small = Stage::embedded(|launch| launch.set("HEADROOM_MAX_BODY_BYTES", 1_000)).await;
    let client = Http2::connect(&small.addr()).await;
    let answer = client.send(&Call::post("/v1/messages", large)).await;
    assert_eq!(answer.status(), 413);
    assert_eq!(client.send(&calls()[0]).await.status(), 200);
}

#[tokio::test]
async fn each_piece_arrives_before_the_next_is_sent() {
    let (stage, client) = stage().await;
    for call in calls() {
        let (gate, mut answer) = begun(&stage, &client, &call).await;
        for event in ["event: ping\ndata: {}\n\n", "data: half an ev", "ent\n\n"] {
            gate.send(event).await;
            assert_eq!(answer.chunk().await.expect("a piece"), event);
        }
        drop(gate);
        assert_eq!(answer.bytes().await, "");
    }
}

#[tokio::test]
async fn many_streams_at_once_do_not_wait_for_each_other() {
    let (stage, client) = stage().await;
    let mut streams = Vec::new();
    for at in 0..100 {
        streams.push(begun(&stage, &client, &calls()[at % 4]).await);
    }
    for round in 0..3 {
        // Backwards, so that none is behind one that is silent.
        for (at, (gate, answer)) in streams.iter_mut().enumerate().rev() {
            let event = format!("data: {at} {round}\n\n");
            gate.send(event.clone()).await;
            assert_eq!(answer.chunk().await.expect("a piece"), event);
        }
    }
    for (gate, answer) in streams.into_iter().rev() {
        drop(gate);
        assert_eq!(answer.bytes().await, "");
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_ends_alone() {
    let (stage, client) = stage().await;
    let (other_gate, mut other) = begun(&stage, &client, &calls()[0]).await;
    stage.provider.next().await;
    for call in calls() {
        let (gate, answer) = begun(&stage, &client, &call).await;
        stage.provider.next().await;
        drop(answer);
        gate.gone().await;
        // And one that has no answer yet.
        stage.provider.script(Reply::Hang);
        let waiting = client.try_send(&call);
        let arrived = stage.provider.next();
        let received = tokio::select! {
            _ = waiting => unreachable!("an answer that nobody gave"),
            received = arrived => received,
        };
        wait::soon("the provider to be let go", received.over.cancelled()).await;
        other_gate.send("data: still\n\n").await;
        assert_eq!(other.chunk().await.expect("a piece"), "data: still\n\n");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_ends_all_its_streams() {
    let stage = Stage::embedded(|launch| launch).await;
    let addr: SocketAddr = stage.addr().parse().expect("host and port");
    let line = TcpProxy::start(addr.port()).await;
    let client = Http2::connect(&format!("127.0.0.1:{}", line.port())).await;
    let mut streams = Vec::new();
    for call in calls() {
        streams.push(begun(&stage, &client, &call).await);
    }
    line.set(Line::Cut);
    for (gate, _answer) in &streams {
        gate.gone().await;
    }
}

#[tokio::test]
async fn a_stream_that_breaks_at_the_provider_does_not_look_finished() {
    let (stage, client) = stage().await;
    for call in calls() {
        let (gate, answer) = begun(&stage, &client, &call).await;
        gate.break_off().await;
        assert!(answer.try_bytes().await.is_err());
    }
    // The connection is as good as before.
    assert_eq!(client.send(&calls()[0]).await.status(), 200);
}

#[tokio::test]
async fn many_requests_at_once() {
    let (stage, client) = stage().await;
    let client = Arc::new(client);
    let mut waiting = JoinSet::new();
    for at in 0..200 {
        let (client, calls) = (client.clone(), calls());
        waiting.spawn(async move {
            let id = format!("id-{at}");
            let answer = client
                .send(&calls[at % 4].clone().header("x-test-id", &id))
                .await;
            (answer.status(), answer.bytes().await.is_empty())
        });
    }
    for answered in waiting.join_all().await {
        assert_eq!(answered, (200, false));
    }
    assert_eq!(stage.provider.untaken(), 200);
}
