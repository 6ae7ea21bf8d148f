//! Clients that begin a body and do not go on.

use std::time::{Duration, Instant};

use headroom_tests::process::{Launch, Process};
use headroom_tests::raw::{PATHS, Socket, Sockets};

/// The limit in these tests.
const LIMIT: Duration = Duration::from_secs(2);

async fn start(provider: &Sockets) -> Process {
    let launch = Launch::proxy_to(&provider.url());
    let launch = launch.set("HEADROOM_BODY_TIMEOUT_SECONDS", LIMIT.as_secs());
    launch.start().await
}

#[tokio::test]
async fn a_body_without_progress_is_ended() {
    let provider = Sockets::listen().await;
    let proxy = start(&provider).await;
    for path in PATHS {
        for (framing, part) in [
            ("content-length: 10", "{\"a\""),
            ("content-length: 10", ""),
            ("transfer-encoding: chunked", "4\r\n{\"a\"\r\n"),
        ] {
            let begun = Instant::now();
            let mut client = Socket::connect(&proxy.addr()).await;
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n{part}");
            client.write(head).await;
            let answer = client.message().await.expect("an answer");
            assert_eq!(answer.status(), 408, "{path} {framing}");
            assert!(begun.elapsed() >= LIMIT, "{path} {framing}");
            let said = String::from_utf8_lossy(&answer.body);
            assert!(said.contains("HEADROOM_BODY_TIMEOUT_SECONDS"), "{said}");
            let shape = if path == "/v1/messages" {
                "\"type\":\"error\""
            } else {
                "\"param\":null"
            };
            assert!(said.contains(shape), "{path}: {said}");
            // Nothing of it is kept: the connection is closed.
            let (rest, _) = client.rest().await;
            assert!(rest.is_empty(), "{path} {framing}");
        }
    }
}

#[tokio::test]
async fn a_slow_body_that_goes_on_is_read() {
    let provider = Sockets::listen().await;
    let proxy = start(&provider).await;
    for path in ["/v1/messages", "/v1/files"] {
        let mut client = Socket::connect(&proxy.addr()).await;
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n");
        client.write(head).await;
        // The pauses are what is tested: each is shorter than the limit, and together they are longer.
        for byte in ["{", " ", " ", "}"] {
            tokio::time::sleep(LIMIT * 3 / 8).await;
            client.write(byte).await;
        }
        let mut upstream = provider.next().await;
        let asked = upstream.message().await.expect("a request");
        assert_eq!(asked.body, b"{  }", "{path}");
        assert_eq!(asked.header("content-length"), ["4"], "{path}");
        upstream
            .write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await;
        let answer = client.message().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
    }
}
