//! What could be read as one request or as two is refused, or goes on in the one way that nobody can misread.

use headroom_tests::process::{Launch, Process};
use headroom_tests::raw::{Came, Message, Socket, StrictProvider};

/// A request that must never be seen at the provider's.
const HIDDEN: &str = "GET /v1/smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
/// A good request behind every other: when it is answered, everything before it was.
const AFTER: &str = "GET /v1/after HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const HELLO: &str = "5\r\nhello\r\n0\r\n\r\n";

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It goes on once, with this body.
    Once(&'static str),
    /// It is refused, and so is all that follows on its connection.
    Refused,
    /// It is refused, but its end is beyond doubt: the next one is heard.
    RefusedAlone,
    /// The proxy waits for the rest of it.
    Waits,
}
use Fate::{Once, Refused, RefusedAlone, Waits};

struct Stage {
    provider: StrictProvider,
    proxy: Process,
}

impl Stage {
    async fn start() -> Self {
        let provider = StrictProvider::start().await;
        let proxy = Launch::proxy_to(&provider.url()).start().await;
        Self { provider, proxy }
    }

    /// Sends bytes and [`AFTER`], and checks what the client and the provider see; gives the request as the provider got it.
    async fn check(&self, bytes: impl AsRef<[u8]>, fate: Fate) -> Option<Message> {
        let shown = String::from_utf8_lossy(bytes.as_ref()).into_owned();
        let shown = shown.get(..400).unwrap_or(&shown);
        let mut client = Socket::connect(&self.proxy.addr()).await;
        // A connection that is closed early takes no more.
        let _ = client.try_write(bytes).await;
        let _ = client.try_write(AFTER).await;
        if fate == Waits {
            client.end_writing().await;
        }
        let mut statuses = Vec::new();
        while let Ok(Some(answer)) = client.try_message().await {
            statuses.push(answer.status());
        }
        let mut came = self.provider.came();
        // What streams may have begun before its fault was met; it was answered as none, and may be seen late.
        came.retain(|came| *came != Came::Cut);
        let after = came.pop_if(|came| is_after(came)).is_some();
        let told = format!("{shown:?}: {statuses:?} {came:?} and after it {after}");
        match (fate, came.as_slice()) {
            (Once(body), [Came::Whole(message)]) => {
                assert_eq!(String::from_utf8_lossy(&message.body), body, "{told}");
                assert!(!message.start.contains("smuggled"), "{told}");
                assert_eq!(statuses.len(), 1 + usize::from(after), "{told}");
                return Some(message.clone());
            }
            (Refused, []) => {
                assert!(
                    matches!(statuses[..], [] | [400 | 414 | 431 | 501]),
                    "{told}"
                );
                assert!(!after, "{told}");
            }
            (RefusedAlone, []) => {
                assert!(
                    matches!(statuses[..], [400 | 501] | [400 | 501, 200]),
                    "{told}"
                );
            }
            (Waits, []) => {
                assert!(matches!(statuses[..], [] | [400]) && !after, "{told}");
            }
            _ => unreachable!("not {fate:?}: {told}"),
        }
        None
    }

    /// The same for a POST with these header lines and body, to a dialect's path and to one that is relayed.
    async fn check_post(&self, headers: &str, body: impl AsRef<[u8]>, fate: Fate) {
        for path in ["/v1/messages", "/v1/files"] {
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
            self.check([head.as_bytes(), body.as_ref()].concat(), fate)
                .await;
        }
    }
}

fn is_after(came: &Came) -> bool {
    matches!(came, Came::Whole(message) if message.start == "GET /v1/after HTTP/1.1")
}

#[tokio::test]
async fn lengths() {
    let stage = Stage::start().await;
    let twice = "content-length: 5\r\ncontent-length: 5\r\n";
    stage.check_post(twice, "hello", Once("hello")).await;
    stage
        .check_post("content-length:5\r\n", "hello", Once("hello"))
        .await;
    stage
        .check_post("content-length: 005\r\n", "hello", Once("hello"))
        .await;
    stage
        .check_post(
            "connection: content-length\r\ncontent-length: 5\r\n",
            "hello",
            Once("hello"),
        )
        .await;
    stage.check_post("", "", Once("")).await;
    for lengths in [
        "content-length: 5\r\ncontent-length: 46\r\n",
        "content-length: 46\r\ncontent-length: 5\r\n",
        "content-length: 5, 5\r\n",
        "content-length: 5, 46\r\n",
        "content-length: +5\r\n",
        "content-length: -5\r\n",
        "content-length: 5 5\r\n",
        "content-length: 0x5\r\n",
        "content-length: 5;\r\n",
        "content-length: five\r\n",
        "content-length:\r\n",
        "content-length: 18446744073709551621\r\n",
        "content-length : 5\r\n",
        "content-length\r\n : 5\r\n",
        "content-length: 5\rx: y\r\n",
        "content-length: 5\x00\r\n",
        "content-length\x00: 5\r\n",
        "content-length: 5\r\n folded: 1\r\n",
    ] {
        let body = format!("hello{HIDDEN}");
        stage.check_post(lengths, body, Refused).await;
    }
}

#[tokio::test]
async fn a_length_beside_chunks() {
    let stage = Stage::start().await;
    for headers in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ntransfer-encoding: chunked\r\ncontent-length: 7\r\n",
        "content-length: 5\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n",
    ] {
        stage.check_post(headers, HELLO, Once("hello")).await;
        let body = format!("0\r\n\r\n{HIDDEN}");
        stage.check_post(headers, body, Once("")).await;
    }
    let chunks = format!("{:x}\r\n{HIDDEN}\r\n0\r\n\r\n", HIDDEN.len());
    let headers = "content-length: 4\r\ntransfer-encoding: chunked\r\n";
    stage.check_post(headers, chunks, Once(HIDDEN)).await;
}

#[tokio::test]
async fn codings() {
    let stage = Stage::start().await;
    for coding in [
        "transfer-encoding: chunked",
        "Transfer-Encoding: CHUNKED",
        "TRANSFER-ENCODING:\tchunked \t",
    ] {
        let header = format!("{coding}\r\n");
        stage.check_post(&header, HELLO, Once("hello")).await;
    }
    for coding in [
        "chunked, identity",
        "xchunked",
        "identity",
        "gzip",
        "",
        "\"chunked\"",
        "chunked;q=1",
        "chu\u{0}nked",
        "\u{b}chunked",
        "chunked\u{b}",
        "chunked\r\ntransfer-encoding: identity",
        "chunked\r\ntransfer-encoding:",
        "\r\n chunked",
        "identity\r\n , chunked",
        "x\rchunked",
    ] {
        let header = format!("transfer-encoding: {coding}\r\n");
        let body = format!("{HELLO}{HIDDEN}");
        stage.check_post(&header, &body, Refused).await;
        let both = format!("content-length: 5\r\n{header}");
        stage.check_post(&both, &body, Refused).await;
    }
    for header in [
        "transfer-encoding : chunked\r\n",
        "transfer-encoding\t: chunked\r\n",
        " transfer-encoding: chunked\r\n",
        "x: y\r\n transfer-encoding: chunked\r\n",
        "transfer\u{0}-encoding: chunked\r\n",
    ] {
        let header = format!("content-length: 5\r\n{header}");
        let body = format!("{HELLO}{HIDDEN}");
        stage.check_post(&header, &body, Refused).await;
    }
    // Chunked is the last coding, so the end is beyond doubt; the ones before it are none of ours.
    for coding in [
        "gzip, chunked",
        "identity, chunked",
        "xchunked\r\ntransfer-encoding: chunked",
        "chunked, chunked",
    ] {
        let header = format!("transfer-encoding: {coding}\r\n");
        stage.check_post(&header, HELLO, RefusedAlone).await;
    }
    let old =
        format!("POST /v1/messages HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n{HELLO}{HIDDEN}");
    stage.check(old, Refused).await;
}

#[tokio::test]
async fn chunks() {
    let stage = Stage::start().await;
    let chunked = "transfer-encoding: chunked\r\n";
    for body in [
        "5;a=b\r\nhello\r\n0\r\n\r\n",
        "5;a=\"b;\\\"\"\r\nhello\r\n0;c\r\n\r\n",
        "5 \t;a\r\nhello\r\n0\r\n\r\n",
        "00000005\r\nhello\r\n000\r\n\r\n",
        "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nx-trailer: 1\r\n\r\n",
        "5\r\nhello\r\n0\r\ncontent-length: 50\r\ntransfer-encoding: x\r\nhost: y\r\n\r\n",
    ] {
        stage.check_post(chunked, body, Once("hello")).await;
    }
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhellox\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        ";a\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5g\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nno trailer\r\n\r\n",
        "5\r\nhello\r\n0\r\n \r\n\r\n",
    ] {
        let body = format!("{body}{HIDDEN}");
        stage.check_post(chunked, body, Refused).await;
    }
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n{HIDDEN}", "a".repeat(100_000));
    stage.check_post(chunked, long, Refused).await;
    let zeros = format!("{}5\r\nhello\r\n0\r\n\r\n", "0".repeat(40));
    stage.check_post(chunked, zeros, Once("hello")).await;
    let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(50_000));
    stage.check_post(chunked, trailers, Refused).await;
    for body in [
        "ffffffffffffffff\r\nhello",
        "5\r\nhel",
        "5\r\nhello\r\n0\r\n",
    ] {
        stage.check_post(chunked, body, Waits).await;
    }
}

#[tokio::test]
async fn line_ends_and_lines() {
    let stage = Stage::start().await;
    for bytes in [
        "POST /v1/files HTTP/1.1\nhost: x\ncontent-length: 5\n\nhello",
        "POST /v1/files HTTP/1.1\r\nhost: x\ncontent-length: 5\r\n\nhello",
        "\r\n\r\nPOST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello",
    ] {
        stage.check(bytes, Once("hello")).await;
    }
    for bytes in [
        "POST /v1/files HTTP/1.1\rhost: x\rcontent-length: 0\r\r",
        "POST /v1/files HTTP/1.1\r\n host: x\r\n\r\n",
        "POST /v1/files HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n",
        "POST /v1/files HTTP/1.1\r\nhost: x\r\n: no name\r\n\r\n",
        "POST /v1/files HTTP/1.1\r\nhost: x\r\na b: c\r\n\r\n",
        "POST /v1/files HTTP/1.1\r\nhost: x\r\n(a): c\r\n\r\n",
        "POST /v1/files HTTP/1.1\r\nhost: x\r\na: b\x00\r\n\r\n",
        "POST /v1/files HTTP/1.1\r\nhost: x\r\na: b\x7f\r\n\r\n",
        "POST /v1/a b HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /v1/a\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST  /v1/files HTTP/1.1\r\nhost: x\r\n\r\n",
        "PO ST /v1/files HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /v1/files HTTP/1.2\r\nhost: x\r\n\r\n",
        "POST /v1/files HTTP/11\r\nhost: x\r\n\r\n",
        "POST /v1/files HTTP/2.0\r\nhost: x\r\n\r\n",
        "POST /v1/files http/1.1\r\nhost: x\r\n\r\n",
        "POST /v1/files\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
    ] {
        stage.check(bytes, Refused).await;
    }
    let long = format!("GET /v1/{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(70_000));
    stage.check(long, Refused).await;
}

#[tokio::test]
async fn targets_and_hosts() {
    let stage = Stage::start().await;
    let host = stage.provider.url().replace("http://", "");
    for (target, sent) in [
        ("http://evil.example/v1/x?y", "/v1/x?y"),
        ("http://user@evil.example:99/v1/x", "/v1/x"),
        ("http://evil.example", "/"),
        ("//evil.example/v1/x", "//evil.example/v1/x"),
        ("/v1/x#fragment", "/v1/x"),
        ("/v1/@evil.example", "/v1/@evil.example"),
        ("*", "*"),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nhost: evil.example\r\n\r\n");
        let got = stage.check(bytes, Once("")).await.expect("a request");
        assert_eq!(got.start, format!("GET {sent} HTTP/1.1"), "{target}");
        assert_eq!(got.header("host"), [host.as_str()], "{target}");
    }
    for headers in ["", "host: a\r\nhost: b\r\n"] {
        let bytes = format!("GET /v1/x HTTP/1.1\r\n{headers}\r\n");
        stage.check(bytes, RefusedAlone).await;
    }
    for headers in [
        "host: a b\r\n",
        "host:\r\n",
        "connection: host\r\nhost: a\r\n",
    ] {
        let bytes = format!("GET /v1/x HTTP/1.1\r\n{headers}\r\n");
        let got = stage.check(bytes, Once("")).await.expect("a request");
        assert_eq!(got.header("host"), [host.as_str()], "{headers}");
    }
    for line in ["CONNECT evil.example:443", "GET evil.example:443", "GET x"] {
        let bytes = format!("{line} HTTP/1.1\r\nhost: evil.example\r\n\r\n");
        stage.check(bytes, RefusedAlone).await;
    }
}

#[tokio::test]
async fn pipelined_requests_stay_apart() {
    let stage = Stage::start().await;
    let mut client = Socket::connect(&stage.proxy.addr()).await;
    let mut bytes = String::new();
    for at in 0..20 {
        let path = ["/v1/messages", "/v1/files"][at % 2];
        let body = format!("body {at} {HIDDEN}");
        let framed = if at % 3 == 0 {
            format!(
                "transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                body.len()
            )
        } else {
            format!("content-length: {}\r\n\r\n{body}", body.len())
        };
        bytes += &format!("POST {path}?{at} HTTP/1.1\r\nhost: x\r\n{framed}");
    }
    client.write(bytes).await;
    for at in 0..20 {
        let answer = client.message().await.expect("an answer");
        let path = ["/v1/messages", "/v1/files"][at % 2];
        let line = format!("POST {path}?{at} HTTP/1.1");
        assert_eq!(String::from_utf8_lossy(&answer.body), line);
    }
    let came = stage.provider.came();
    assert_eq!(came.len(), 20);
    for (at, came) in came.into_iter().enumerate() {
        let Came::Whole(message) = came else {
            panic!("{came:?}")
        };
        assert_eq!(message.body, format!("body {at} {HIDDEN}").as_bytes());
    }
}

#[tokio::test]
async fn a_body_where_none_is_usual() {
    let stage = Stage::start().await;
    for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
        for framed in [
            "content-length: 5\r\n\r\nhello",
            "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ] {
            // The answer to a HEAD has no body, and this client would wait for one.
            let bytes = format!("{method} /v1/x HTTP/1.1\r\nhost: x\r\n{framed}");
            if method != "HEAD" {
                stage.check(bytes, Once("hello")).await;
            }
        }
    }
}
