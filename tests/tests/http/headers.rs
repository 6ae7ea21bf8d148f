//! Headers that are long, many, repeated or not text pass as they are, both ways.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use headroom_tests::process::{Launch, Process};
use headroom_tests::raw::{BODY, Came, Message, PATHS, Socket, Sockets, StrictProvider};

/// Sends a request with these header lines and gives the answer, if there is one.
async fn send(proxy: &Process, path: &str, headers: &[u8]) -> Option<Message> {
    let mut client = Socket::connect(&proxy.addr()).await;
    let length = BODY.len();
    let start = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n");
    let bytes = [start.as_bytes(), headers, b"\r\n", BODY.as_bytes()].concat();
    // A proxy that refuses the head does not read the rest.
    let _ = client.try_write(bytes).await;
    client.try_message().await.ok().flatten()
}

async fn forwarding() -> (StrictProvider, Process) {
    let provider = StrictProvider::start().await;
    let proxy = Launch::proxy_to(&provider.url()).start().await;
    (provider, proxy)
}

/// What the provider gets of a request with these header lines.
async fn forwarded(
    (provider, proxy): &(StrictProvider, Process),
    path: &str,
    headers: &[u8],
) -> Message {
    let answer = send(proxy, path, headers).await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    let mut came = provider.came();
    let last = came.pop();
    assert_eq!(came, [], "{path}");
    let Some(Came::Whole(message)) = last else {
        unreachable!("{path}: {last:?}")
    };
    message
}

/// The values of one header in their order.
fn values<'a>(message: &'a Message, name: &str) -> Vec<&'a [u8]> {
    let all = message.headers.iter().filter(|(key, _)| key == name);
    all.map(|(_, value)| value.as_slice()).collect()
}

#[tokio::test]
async fn values_that_are_not_text() {
    let stage = forwarding().await;
    for path in PATHS {
        let lines = b"x-raw: \xff\xfe\x80 caf\xe9\r\nx-raw: \xe4\xb8\xad\xe6\x96\x87\r\nx-tab: a\tb\r\nx-latin:  \xa0 \r\n\
            x-quotes: \"a\\\"b\", (c)\r\nx-empty:\r\nx-empty: \r\n";
        let got = forwarded(&stage, path, lines).await;
        let raw: [&[u8]; 2] = [b"\xff\xfe\x80 caf\xe9", b"\xe4\xb8\xad\xe6\x96\x87"];
        assert_eq!(values(&got, "x-raw"), raw);
        assert_eq!(values(&got, "x-tab"), [b"a\tb"]);
        assert_eq!(values(&got, "x-latin"), [b"\xa0"]);
        assert_eq!(values(&got, "x-quotes"), [b"\"a\\\"b\", (c)"]);
        assert_eq!(values(&got, "x-empty"), [b"", b""]);
        assert_eq!(got.body, BODY.as_bytes());
    }
}

#[tokio::test]
async fn equal_names_keep_their_order() {
    let stage = forwarding().await;
    for path in PATHS {
        let mut lines = String::new();
        for at in 0..30 {
            // The case of a name does not matter, and other names in between neither.
            let name = ["anthropic-beta", "Anthropic-Beta"][at % 2];
            lines += &format!("{name}: beta-{at}, also-{at}\r\nx-other-{at}: {at}\r\n");
        }
        let got = forwarded(&stage, path, lines.as_bytes()).await;
        let wanted: Vec<_> = (0..30).map(|at| format!("beta-{at}, also-{at}")).collect();
        assert_eq!(got.header("anthropic-beta"), wanted);
        for at in 0..30 {
            assert_eq!(got.header(&format!("x-other-{at}")), [at.to_string()]);
        }
    }
}

#[tokio::test]
async fn long_values_up_to_the_limit() {
    let stage = forwarding().await;
    for path in PATHS {
        let long = "v".repeat(60_000);
        let lines = format!("x-long: {long}\r\nauthorization: Bearer {long}\r\n");
        let got = forwarded(&stage, path, lines.as_bytes()).await;
        assert_eq!(got.header("x-long"), [long.as_str()]);
        assert_eq!(got.header("authorization"), [format!("Bearer {long}")]);
        let name = format!("x-{}", "n".repeat(10_000));
        let got = forwarded(&stage, path, format!("{name}: 1\r\n").as_bytes()).await;
        assert_eq!(got.header(&name), ["1"]);
        let beyond = format!("x-long: {}\r\n", "v".repeat(1 << 20));
        let answer = send(&stage.1, path, beyond.as_bytes()).await;
        assert_eq!(answer.map_or(431, |answer| answer.status()), 431);
        assert_eq!(stage.0.came(), []);
    }
}

#[tokio::test]
async fn many_headers() {
    let stage = forwarding().await;
    for path in PATHS {
        let lines: String = (0..90).map(|at| format!("x-{at}: {at}\r\n")).collect();
        let got = forwarded(&stage, path, lines.as_bytes()).await;
        for at in 0..90 {
            assert_eq!(got.header(&format!("x-{at}")), [at.to_string()]);
        }
    }
    for count in [200, 2_000] {
        let lines: String = (0..count).map(|at| format!("x-{at}: {at}\r\n")).collect();
        let answer = send(&stage.1, PATHS[0], lines.as_bytes()).await;
        let status = answer.map_or(431, |answer| answer.status());
        assert!(matches!(status, 200 | 431), "{count}: {status}");
    }
}

#[tokio::test]
async fn what_is_the_hop_s_or_ours_stays_behind() {
    let stage = forwarding().await;
    for path in PATHS {
        let lines = b"connection: X-One , x-two\r\nConnection: ,, x-three, close\r\nconnection: \xff, x-four\r\nx-one: 1\r\n\
            X-One: 2\r\nx-two: 1\r\nx-three: 1\r\nx-kept: 1\r\nX-Headroom-Bypass: 1\r\nx-headroom-: 1\r\nx-headroom: kept\r\n\
            X-HEADROOM-Request-Id: mine\r\nkeep-alive: timeout=1\r\nproxy-authorization: Basic x\r\nproxy-connection: close\r\n\
            te: trailers, deflate\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n";
        let got = forwarded(&stage, path, lines).await;
        for gone in [
            "connection",
            "x-one",
            "x-two",
            "x-three",
            "x-headroom-bypass",
            "x-headroom-",
            "x-headroom-request-id",
            "keep-alive",
            "proxy-authorization",
            "proxy-connection",
            "upgrade",
        ] {
            assert_eq!(values(&got, gone), [b""; 0], "{gone}");
        }
        assert_eq!(values(&got, "x-kept"), [b"1"]);
        assert_eq!(values(&got, "x-headroom"), [b"kept"]);
        assert_eq!(values(&got, "te"), [b"trailers"]);
    }
}

#[tokio::test]
async fn answers_of_any_shape() {
    let provider = Sockets::listen().await;
    let proxy = Launch::proxy_to(&provider.url()).start().await;
    let many: String = (0..80).map(|at| format!("x-{at}: {at}\r\n")).collect();
    let long = "v".repeat(60_000);
    let head = [
        b"HTTP/1.1 200 Quite Alright\r\nset-cookie: a=1; Path=/\r\nx-between: 1\r\nSet-Cookie: b=2\r\nset-cookie: c=\xff\xe9\r\n\
            anthropic-ratelimit-requests-remaining: 7\r\nanthropic-ratelimit-tokens-reset: 2026-11-21T00:00:00Z\r\n\
            x-ratelimit-remaining-tokens: 149984\r\nretry-after: 12\r\nx-raw: \xff\xfe caf\xe9\r\nconnection: x-hop, close\r\n\
            x-hop: 1\r\nkeep-alive: timeout=5\r\nserver: cloudflare\r\ndate: Sat, 01 Jan 2000 00:00:00 GMT\r\nx-empty:\r\n\
            via: 1.1 upstream\r\nx-headroom-kept: by the provider\r\n"
            .as_slice(),
        many.as_bytes(),
        format!("x-long: {long}\r\ncontent-length: 2\r\n\r\nok").as_bytes(),
    ]
    .concat();
    for path in PATHS {
        let answering = async {
            let mut upstream = provider.next().await;
            upstream.message().await.expect("a request");
            upstream.write(&head).await;
        };
        let (answer, ()) = tokio::join!(send(&proxy, path, b""), answering);
        let answer = answer.expect("an answer");
        assert_eq!(answer.start, "HTTP/1.1 200 Quite Alright");
        let cookies: [&[u8]; 3] = [b"a=1; Path=/", b"b=2", b"c=\xff\xe9"];
        assert_eq!(values(&answer, "set-cookie"), cookies);
        assert_eq!(values(&answer, "x-raw"), [b"\xff\xfe caf\xe9"]);
        for (name, value) in [
            ("anthropic-ratelimit-requests-remaining", "7"),
            ("anthropic-ratelimit-tokens-reset", "2026-11-21T00:00:00Z"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("retry-after", "12"),
            ("server", "cloudflare"),
            ("date", "Sat, 01 Jan 2000 00:00:00 GMT"),
            ("x-empty", ""),
            ("via", "1.1 upstream"),
            ("content-length", "2"),
            ("x-long", &long),
        ] {
            assert_eq!(answer.header(name), [value], "{name}");
        }
        for at in 0..80 {
            assert_eq!(answer.header(&format!("x-{at}")), [at.to_string()]);
        }
        for gone in ["x-hop", "keep-alive", "connection"] {
            assert_eq!(values(&answer, gone), [b""; 0], "{gone}");
        }
        assert_eq!(answer.body, b"ok");
    }
}
