//! `WebSocket` that is relayed: the handshake passes as it is, then bytes flow both ways until one side ends.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::time::Instant;

use headroom_tests::http::Call;
use headroom_tests::process::{Launch, Process};
use headroom_tests::raw::{Message, Socket, Sockets};
use headroom_tests::wait;

const ASK: &str = "GET /v1/responses?x=1 HTTP/1.1\r\nhost: proxy\r\nConnection: keep-alive, Upgrade, X-Hop\r\nUpgrade: WebSocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, b\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nauthorization: Bearer t\r\nx-hop: 1\r\n\
    x-headroom-bypass: 1\r\n\r\n";
const AGREE: &str = "HTTP/1.1 101 Web Sockets It Is\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: b\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n";

async fn stage() -> (Sockets, Process) {
    let provider = Sockets::listen().await;
    let proxy = Launch::proxy_to(&provider.url()).set("HEADROOM_WEBSOCKET", "relay");
    (provider, proxy.start().await)
}

/// A client and a provider that have agreed on a WebSocket.
async fn agreed(provider: &Sockets, proxy: &Process) -> (Socket, Socket) {
    let mut client = Socket::connect(&proxy.addr()).await;
    client.write(ASK).await;
    let mut upstream = provider.next().await;
    upstream.head().await.expect("the handshake");
    upstream.write(AGREE).await;
    assert_eq!(client.head().await.expect("an answer").status(), 101);
    (client, upstream)
}

fn assert_has(message: &Message, name: &str, values: &[&str]) {
    assert_eq!(message.header(name), values, "{name}");
}

#[tokio::test]
async fn the_handshake_passes_both_ways() {
    let (provider, proxy) = stage().await;
    let mut client = Socket::connect(&proxy.addr()).await;
    // What a hasty client says at once is not lost.
    client.write(format!("{ASK}\u{1}hasty")).await;
    let mut upstream = provider.next().await;
    let asked = upstream.head().await.expect("a handshake");
    assert_eq!(asked.start, "GET /v1/responses?x=1 HTTP/1.1");
    proxy.logged("asks on a WebSocket that is relayed", 1).await;
    for (name, values) in [
        ("connection", &["Upgrade"][..]),
        ("upgrade", &["WebSocket"]),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ=="]),
        ("sec-websocket-version", &["13"]),
        ("sec-websocket-protocol", &["a, b"]),
        (
            "sec-websocket-extensions",
            &["permessage-deflate; client_max_window_bits"],
        ),
        ("authorization", &["Bearer t"]),
        ("host", &[&provider.url().replace("http://", "")]),
        ("x-hop", &[]),
        ("x-headroom-bypass", &[]),
        ("content-length", &[]),
        ("transfer-encoding", &[]),
    ] {
        assert_has(&asked, name, values);
    }
    upstream.write(format!("{AGREE}\u{2}hasty too")).await;
    let answer = client.head().await.expect("an answer");
    assert_eq!(answer.start, "HTTP/1.1 101 Web Sockets It Is");
    for (name, values) in [
        ("connection", &["Upgrade"][..]),
        ("upgrade", &["websocket"]),
        ("sec-websocket-accept", &["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]),
        ("sec-websocket-protocol", &["b"]),
        ("set-cookie", &["a=1", "b=2"]),
        ("content-length", &[]),
        ("transfer-encoding", &[]),
    ] {
        assert_has(&answer, name, values);
    }
    assert_eq!(client.take(10).await, b"\x02hasty too");
    assert_eq!(upstream.take(6).await, b"\x01hasty");
}

#[tokio::test]
async fn bytes_flow_both_ways_at_once() {
    let (provider, proxy) = stage().await;
    let (mut client, mut upstream) = agreed(&provider, &proxy).await;
    for round in 0..20_u8 {
        client.write([round; 3]).await;
        assert_eq!(upstream.take(3).await, [round; 3]);
        upstream.write([round; 4]).await;
        assert_eq!(client.take(4).await, [round; 4]);
    }
    let much: Vec<u8> = (0..4_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    let one = async |mut side: Socket| {
        for piece in much.chunks(100_000) {
            side.write(piece).await;
            assert!(side.take(piece.len()).await == piece, "other bytes");
        }
    };
    tokio::join!(one(client), one(upstream));
}

#[tokio::test]
async fn the_end_of_one_side_is_the_other_s_to_answer() {
    let (provider, proxy) = stage().await;
    let (mut client, mut upstream) = agreed(&provider, &proxy).await;
    client.write("bye").await;
    client.end_writing().await;
    assert_eq!(upstream.rest().await, (b"bye".to_vec(), true));
    upstream.write("good bye").await;
    upstream.end_writing().await;
    assert_eq!(client.rest().await, (b"good bye".to_vec(), true));

    let (mut client, mut upstream) = agreed(&provider, &proxy).await;
    upstream.end_writing().await;
    assert_eq!(client.rest().await, (Vec::new(), true));
    client.write("late").await;
    drop(client);
    assert_eq!(upstream.rest().await.0, b"late");
}

#[tokio::test]
async fn a_break_on_one_side_ends_the_other() {
    let (provider, proxy) = stage().await;
    let (client, mut upstream) = agreed(&provider, &proxy).await;
    client.reset();
    upstream.rest().await;
    let (mut client, upstream) = agreed(&provider, &proxy).await;
    upstream.reset();
    client.rest().await;
    // A client that leaves before the provider has agreed takes its wish with it.
    let mut client = Socket::connect(&proxy.addr()).await;
    client.write(ASK).await;
    let mut upstream = provider.next().await;
    upstream.head().await.expect("the handshake");
    drop(client);
    upstream.rest().await;
}

#[tokio::test]
async fn a_refusal_is_an_ordinary_answer() {
    let (provider, proxy) = stage().await;
    let mut client = Socket::connect(&proxy.addr()).await;
    for (status, upgrade) in [
        (
            "426 Upgrade Required",
            "upgrade: h3\r\nconnection: upgrade, close\r\n",
        ),
        ("404 Not Found", "connection: close\r\n"),
        ("200 OK", "connection: close\r\n"),
        ("403 Forbidden", "connection: close\r\n"),
    ] {
        client.write(ASK).await;
        let mut upstream = provider.next().await;
        upstream.head().await.expect("the handshake");
        let answer = format!(
            "HTTP/1.1 {status}\r\n{upgrade}x-why: because\r\ncontent-length: 4\r\n\r\nbody"
        );
        upstream.write(answer).await;
        drop(upstream);
        let answer = client.message().await.expect("an answer");
        assert_eq!(answer.start, format!("HTTP/1.1 {status}"));
        assert_has(&answer, "x-why", &["because"]);
        assert_eq!(answer.body, b"body");
    }
    // The connection served them all and serves more.
    client.write("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.message().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn only_websockets_are_relayed() {
    let (provider, proxy) = stage().await;
    for ask in [
        ASK.replace(": WebSocket", ": h2c"),
        ASK.replace(": WebSocket", ": websocket, h2c"),
        ASK.replace("keep-alive, Upgrade", "keep-alive"),
        ASK.replace("HTTP/1.1", "HTTP/1.0"),
        ASK.replace("GET", "PUT"),
    ] {
        let mut client = Socket::connect(&proxy.addr()).await;
        client.write(&ask).await;
        let mut upstream = provider.next().await;
        let asked = upstream.head().await.expect("a request");
        assert_has(&asked, "upgrade", &[]);
        assert_has(&asked, "connection", &[]);
        // A provider that switches all the same has not understood.
        upstream.write(AGREE).await;
        let answer = client.head().await.expect("an answer");
        assert!(answer.start.contains(" 502 "), "{}", answer.start);
    }
    let mut client = Socket::connect(&proxy.addr()).await;
    client.write(ASK).await;
    let mut upstream = provider.next().await;
    upstream.head().await.expect("the handshake");
    upstream.write(AGREE.replace("websocket", "chat")).await;
    assert_eq!(client.message().await.expect("an answer").status(), 502);
}

#[tokio::test]
async fn a_stop_lets_a_websocket_end() {
    let (provider, mut proxy) = stage().await;
    let (mut client, mut upstream) = agreed(&provider, &proxy).await;
    proxy.signal("TERM");
    let ready = Call::get("/readyz");
    let addr = proxy.addr();
    wait::soon("readyz to say that it drains", async {
        while !ready
            .try_send(&addr)
            .await
            .is_ok_and(|answer| answer.status() == 503)
        {
            assert!(!proxy.has_ended(), "it does not wait for the WebSocket");
        }
    })
    .await;
    client.write("still").await;
    assert_eq!(upstream.take(5).await, b"still");
    upstream.write("here").await;
    assert_eq!(client.take(4).await, b"here");
    assert!(!proxy.has_ended());
    drop(client);
    drop(upstream);
    assert!(proxy.ended(wait::DEADLINE).await.success());
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let (provider, mut proxy) = stage().await;
    let sockets = proxy.sockets();
    for round in 0..80 {
        let (mut client, mut upstream) = agreed(&provider, &proxy).await;
        match round % 4 {
            0 => client.end_writing().await,
            1 => upstream.end_writing().await,
            2 => client.reset(),
            _ => upstream.reset(),
        }
    }
    // Fewer by far than there were: what may be kept ready for other requests.
    proxy.until_sockets(sockets + 8).await;
    let stopping = Instant::now();
    assert!(proxy.terminate(wait::DEADLINE).await.success());
    assert!(stopping.elapsed() < wait::DEADLINE / 3, "it drained");
}
