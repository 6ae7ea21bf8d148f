//! One connection may carry requests of every kind, in whatever pieces they come: each is served as it would be alone.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::time::Instant;

use headroom_tests::process::{Launch, Process};
use headroom_tests::raw::{Came, Message, PATHS, Socket, Stage, StrictProvider, post};
use headroom_tests::wait;

/// What a provider answers.
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// A request that the proxy answers itself.
const LIVEZ: &str = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";

async fn strict() -> (StrictProvider, Process, Socket) {
    let provider = StrictProvider::start().await;
    let proxy = Launch::proxy_to(&provider.url()).start().await;
    let client = Socket::connect(&proxy.addr()).await;
    (provider, proxy, client)
}

async fn answer(client: &mut Socket) -> Message {
    client.message().await.expect("an answer")
}

fn request(path: &str, lines: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{lines}\r\n{body}")
}

/// The bodies that came, each of a whole request.
fn bodies(provider: &StrictProvider) -> Vec<String> {
    let body = |came: Came| match came {
        Came::Whole(message) => String::from_utf8_lossy(&message.body).into_owned(),
        other => unreachable!("{other:?}"),
    };
    provider.came().into_iter().map(body).collect()
}

#[tokio::test]
async fn requests_of_every_kind_follow_each_other() {
    let (provider, _proxy, mut client) = strict().await;
    let chunked = |path: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n");
        format!("{head}transfer-encoding: chunked\r\n\r\n4\r\nodd \r\n4\r\nbody\r\n0\r\n\r\n")
    };
    let mut wanted = Vec::new();
    for path in PATHS {
        for (bytes, body) in [
            (request(path, "", "plain"), "plain"),
            (request(path, "connection: keep-alive\r\n", ""), ""),
            (chunked(path), "odd body"),
            (request(path, "", "plain again"), "plain again"),
            (request(path, "connection: x-hop\r\n", "hop"), "hop"),
            (request(path, "expect: 100-continue\r\n", "told"), "told"),
            (request(path, "content-length: 5\r\n", "twice"), "twice"),
        ] {
            client.write(bytes).await;
            let mut got = answer(&mut client).await;
            if got.status() == 100 {
                got = answer(&mut client).await;
            }
            assert_eq!(got.status(), 200, "{path} {body}");
            wanted.push(body);
        }
        client.write(LIVEZ).await;
        assert_eq!(answer(&mut client).await.status(), 200);
    }
    assert_eq!(bodies(&provider), wanted);
    client
        .write(request(PATHS[0], "connection: close\r\n", "last"))
        .await;
    assert_eq!(answer(&mut client).await.status(), 200);
    assert_eq!(client.rest().await, (Vec::new(), true));
}

#[tokio::test]
async fn requests_in_one_write_are_all_answered() {
    let (provider, proxy, mut client) = strict().await;
    let two = [request(PATHS[0], "", "one"), request(PATHS[1], "", "two")];
    client.write(two.concat()).await;
    for path in &PATHS[..2] {
        let got = answer(&mut client).await;
        assert_eq!(got.body, format!("POST {path} HTTP/1.1").as_bytes());
    }
    client
        .write([request(PATHS[2], "", "three").as_str(), LIVEZ].concat())
        .await;
    let got = answer(&mut client).await;
    assert_eq!(got.body, b"POST /v1/responses HTTP/1.1");
    assert_eq!(answer(&mut client).await.body, b"{\"status\":\"alive\"}");
    // More than is kept of what comes while one is answered.
    let mut client = Socket::connect(&proxy.addr()).await;
    let large = "x".repeat(50_000);
    let many = request(PATHS[0], "", &large).repeat(20);
    client.write(many).await;
    for _ in 0..20 {
        assert_eq!(answer(&mut client).await.status(), 200);
    }
    let bodies = bodies(&provider);
    assert_eq!(bodies[..3], ["one", "two", "three"]);
    assert!(
        bodies[3..].iter().all(|body| *body == large),
        "other bodies"
    );
    assert_eq!(bodies.len(), 23);
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let (provider, _proxy, mut client) = strict().await;
    for path in PATHS {
        for byte in request(path, "", "hello").bytes() {
            client.write([byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(answer(&mut client).await.status(), 200);
    }
    assert_eq!(bodies(&provider), ["hello"; PATHS.len()]);
}

#[tokio::test]
async fn what_comes_behind_a_body_is_the_next_request() {
    let (provider, proxy, mut client) = strict().await;
    for path in PATHS {
        // The beginning of one, which goes on later.
        let (first, second) = (request(path, "", "first"), request(path, "", "second"));
        let (begun, rest) = second.split_at(20);
        client.write([&first, begun].concat()).await;
        assert_eq!(answer(&mut client).await.status(), 200);
        client.write(rest).await;
        assert_eq!(answer(&mut client).await.status(), 200);
        assert_eq!(bodies(&provider), ["first", "second"]);
        // Nothing that could be one.
        let mut other = Socket::connect(&proxy.addr()).await;
        other
            .write([&first, "more than announced\r\n\r\n"].concat())
            .await;
        assert_eq!(answer(&mut other).await.status(), 200);
        assert_eq!(answer(&mut other).await.status(), 400);
        assert_eq!(other.rest().await.0, b"");
        assert_eq!(bodies(&provider), ["first"]);
    }
}

#[tokio::test]
async fn a_large_body_in_many_pieces_and_the_next_request_behind_it() {
    let (provider, _proxy, mut client) = strict().await;
    let large: String = (0..700_000).map(|at| format!("{at:x} ")).collect();
    for path in PATHS {
        let bytes = [request(path, "", &large), request(path, "", "small")].concat();
        for piece in bytes.as_bytes().chunks(99_991) {
            client.write(piece).await;
        }
        for _ in 0..2 {
            assert_eq!(answer(&mut client).await.status(), 200);
        }
        let came = bodies(&provider);
        assert!(came == [large.as_str(), "small"], "{path}: other bodies");
    }
}

#[tokio::test]
async fn what_is_announced_and_does_not_come_takes_no_memory() {
    let stage = Stage::start().await;
    let before = stage.proxy.figure("VmRSS");
    let mut clients = Vec::new();
    for at in 0..60 {
        let mut client = Socket::connect(&stage.proxy.addr()).await;
        let path = PATHS[at % PATHS.len()];
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n");
        client
            .write(format!("{head}content-length: 60000000\r\n\r\n{{"))
            .await;
        clients.push(client);
    }
    clients[0].write(" ".repeat(100_000)).await;
    // Answered behind them, so that they have been read.
    let mut other = Socket::connect(&stage.proxy.addr()).await;
    other.write(LIVEZ).await;
    answer(&mut other).await;
    let grown = stage.proxy.figure("VmRSS").saturating_sub(before);
    assert!(grown < 16 << 10, "the proxy grew by {grown} kB");
}

#[tokio::test]
async fn a_stop_ends_what_waits_and_lets_end_what_has_begun() {
    let Stage {
        provider,
        mut proxy,
    } = Stage::start().await;
    let connect = async || Socket::connect(&proxy.addr()).await;
    let (mut silent, mut kept, mut begun) = (connect().await, connect().await, connect().await);
    let mut asked = connect().await;
    kept.write(post(PATHS[0], "")).await;
    let mut upstream = provider.next().await;
    upstream.message().await.expect("a request");
    upstream.write(OK).await;
    assert_eq!(answer(&mut kept).await.body, b"ok");
    asked.write(post(PATHS[0], "")).await;
    upstream.message().await.expect("a request");
    let request = post(PATHS[0], "");
    let (half, rest) = request.split_at(30);
    begun.write(half).await;
    // The same here.
    let mut other = connect().await;
    other.write(LIVEZ).await;
    answer(&mut other).await;
    proxy.signal("TERM");
    let stopping = Instant::now();
    for idle in [&mut silent, &mut kept, &mut other] {
        assert_eq!(idle.rest().await, (Vec::new(), true));
    }
    assert!(stopping.elapsed() < wait::DEADLINE / 3, "they were kept");
    for (mut client, left) in [(asked, ""), (begun, rest)] {
        if !left.is_empty() {
            client.write(left).await;
            upstream.message().await.expect("a request");
        }
        upstream.write(OK).await;
        let got = answer(&mut client).await;
        assert_eq!((got.status(), got.body.as_slice()), (200, &b"ok"[..]));
        assert_eq!(got.header("connection"), ["close"]);
        assert_eq!(client.rest().await, (Vec::new(), true));
    }
    assert!(proxy.ended(wait::DEADLINE).await.success());
}
