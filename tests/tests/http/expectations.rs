//! `Expect: 100-continue`: the client is told to go on where its body is wanted, and refused before it sends where it is not.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use headroom_tests::process::{Launch, Process};
use headroom_tests::raw::{Message, Socket, StrictProvider};

const PATHS: [&str; 2] = ["/v1/messages", "/v1/files"];
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

async fn stage() -> (StrictProvider, Process) {
    let provider = StrictProvider::start().await;
    let launch = Launch::proxy_to(&provider.url()).set("HEADROOM_MAX_BODY_BYTES", 1_000);
    (provider, launch.start().await)
}

async fn ask(proxy: &Process, path: &str, framing: &str) -> Socket {
    let mut client = Socket::connect(&proxy.addr()).await;
    let expect = "expect: 100-Continue";
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{expect}\r\n{framing}\r\n\r\n");
    client.write(head).await;
    client
}

async fn answer(client: &mut Socket) -> Message {
    client.message().await.expect("an answer")
}

#[tokio::test]
async fn a_client_that_waits_is_told_to_go_on() {
    let (provider, proxy) = stage().await;
    for path in PATHS {
        for (framing, body) in [
            ("content-length: 5", "hello"),
            ("transfer-encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ] {
            let mut client = ask(&proxy, path, framing).await;
            assert_eq!(client.take(CONTINUE.len()).await, CONTINUE);
            client.write(body).await;
            assert_eq!(answer(&mut client).await.status(), 200, "{path} {framing}");
            // One that does not wait is served too, on the same connection.
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n{framing}\r\n\r\n{body}"
            );
            client.write(head).await;
            let mut got = answer(&mut client).await;
            if got.status() == 100 {
                got = answer(&mut client).await;
            }
            assert_eq!(got.status(), 200, "{path} {framing}");
        }
    }
    for came in provider.came() {
        let text = format!("{came:?}");
        assert!(!text.contains("expect"), "{text}");
    }
}

#[tokio::test]
async fn too_large_a_body_is_refused_before_it_is_sent() {
    let (provider, proxy) = stage().await;
    for path in ["/v1/messages", "/v1/chat/completions", "/v1/responses"] {
        let mut client = ask(&proxy, path, "content-length: 1001").await;
        assert_eq!(answer(&mut client).await.status(), 413, "{path}");
        // What follows could be the body or the next request: nothing more is heard here.
        assert_eq!(client.rest().await.0, b"");
    }
    assert_eq!(provider.came(), []);
}
