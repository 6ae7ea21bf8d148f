//! Answers as providers really send them: announced, redirected, framed in odd ways, cut off.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;

use headroom_tests::raw::{BODY, Message, PATHS, Socket, Stage, post};

/// When nothing was taken for so long, nothing more will be.
const PAUSE: Duration = Duration::from_millis(500);

async fn answer(client: &mut Socket) -> Message {
    client.message().await.expect("an answer")
}

#[tokio::test]
async fn announcements_come_before_the_answer() {
    let stage = Stage::start().await;
    for path in PATHS {
        let (mut client, mut upstream) = stage.asked(path).await;
        let hints = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
        upstream
            .write(format!("HTTP/1.1 100 Continue\r\n\r\n{hints}"))
            .await;
        upstream
            .write("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 201 Crea")
            .await;
        upstream
            .write("ted\r\nconnection: close\r\ncontent-length: 5\r\nx-final: 1\r\n\r\nhello")
            .await;
        let mut got = answer(&mut client).await;
        while got.status() < 200 {
            got = answer(&mut client).await;
        }
        assert_eq!(got.start, "HTTP/1.1 201 Created");
        assert_eq!(got.header("x-final"), ["1"]);
        assert_eq!(got.header("link"), [""; 0]);
        assert_eq!(got.body, b"hello");
    }
}

#[tokio::test]
async fn every_class_of_answer_is_the_client_s() {
    let stage = Stage::start().await;
    let mut client = Socket::connect(&stage.proxy.addr()).await;
    for path in PATHS {
        for status in [
            "200 OK",
            "206 Partial Content",
            "299 Odd",
            "301 Moved Permanently",
            "302 Found",
            "303 See Other",
            "307 Temporary Redirect",
            "308 Permanent Redirect",
            "400 Bad Request",
            "401 Unauthorized",
            "407 Proxy Authentication Required",
            "418 I'm a teapot",
            "429 Too Many Requests",
            "500 ",
            "502 Bad Gateway",
            "529 Overloaded",
            "599 Odd",
            "999 Beyond",
        ] {
            client.write(post(path, "")).await;
            let mut upstream = stage.provider.next().await;
            let asked = upstream.message().await.expect("a request");
            assert_eq!(asked.body, BODY.as_bytes());
            let body = format!("{{\"error\": \"{status}\\u00e9\"}}\n");
            let head = "location: http://127.0.0.1:1/elsewhere\r\nwww-authenticate: Bearer\r\nconnection: close\r\n";
            upstream
                .write(format!(
                    "HTTP/1.1 {status}\r\n{head}content-length: {}\r\n\r\n{body}",
                    body.len()
                ))
                .await;
            let got = answer(&mut client).await;
            assert_eq!(got.start, format!("HTTP/1.1 {status}"));
            assert_eq!(got.header("location"), ["http://127.0.0.1:1/elsewhere"]);
            assert_eq!(got.header("www-authenticate"), ["Bearer"]);
            assert_eq!(got.body, body.as_bytes());
            assert!(stage.provider.quiet().await, "a second request");
        }
    }
}

#[tokio::test]
async fn a_body_of_any_framing_arrives_whole() {
    let stage = Stage::start().await;
    for path in PATHS {
        for (head, body) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n", "hello"),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n",
                "hello",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n",
                "2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nx-trailer: 1\r\n\r\n",
            ),
            // The coding is what counts, on either side of a length that says something else.
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n",
                "5\r\nhello\r\n0\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 50\r\n",
                "5\r\nhello\r\n0\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 OK\r\nconnection: content-length\r\ncontent-length: 5\r\n",
                "hello",
            ),
            ("HTTP/1.1 200 OK\r\n", "hello"),
            ("HTTP/1.0 200 OK\r\n", "hello"),
            ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n", "hello"),
        ] {
            let (mut client, mut upstream) = stage.asked(path).await;
            upstream
                .write(format!("{head}connection: close\r\n\r\n{body}"))
                .await;
            drop(upstream);
            let got = answer(&mut client).await;
            assert_eq!(
                (got.start.as_str(), got.body.as_slice()),
                ("HTTP/1.1 200 OK", &b"hello"[..]),
                "{head:?}"
            );
            // The client's connection outlives the provider's.
            client.write("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
            assert_eq!(answer(&mut client).await.status(), 200, "{head:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_a_502() {
    let stage = Stage::start().await;
    for path in PATHS {
        for bytes in [
            "",
            "HTTP/1.1 20",
            "SSH-2.0-OpenSSH_9.9\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
        ] {
            let (mut client, mut upstream) = stage.asked(path).await;
            upstream.write(bytes).await;
            drop(upstream);
            assert_eq!(answer(&mut client).await.status(), 502, "{path} {bytes:?}");
        }
        let (mut client, upstream) = stage.asked(path).await;
        upstream.reset();
        assert_eq!(answer(&mut client).await.status(), 502, "{path}");
    }
}

#[tokio::test]
async fn an_answer_cut_off_does_not_look_whole() {
    let stage = Stage::start().await;
    for path in PATHS {
        for (head, sent) in [
            ("content-length: 10\r\n", "hello"),
            ("transfer-encoding: chunked\r\n", "5\r\nhello\r\n"),
            ("transfer-encoding: chunked\r\n", "5\r\nhello\r\n0\r\n"),
            ("transfer-encoding: chunked\r\n", "a\r\nhello"),
            ("transfer-encoding: chunked\r\n", "5\r\nhello\r\nxyz\r\n"),
            (
                "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
                "5\r\nhello\r\n",
            ),
            ("", "hello"),
        ] {
            for reset in [true, false] {
                if head.is_empty() && !reset {
                    continue; // This one ends so.
                }
                let (mut client, mut upstream) = stage.asked(path).await;
                let kind = "content-type: text/event-stream\r\n";
                upstream
                    .write(format!("HTTP/1.1 200 OK\r\n{kind}{head}\r\n{sent}"))
                    .await;
                let got = client.head().await.expect("an answer's head");
                assert_eq!(got.status(), 200);
                let framed = got.header("content-length");
                // What came before the break is not held back.
                let first = if framed.is_empty() {
                    "5\r\nhello\r\n"
                } else {
                    "hello"
                };
                assert_eq!(
                    client.take(first.len()).await,
                    first.as_bytes(),
                    "{path} {head:?} {sent:?}"
                );
                if reset {
                    upstream.reset();
                } else {
                    drop(upstream);
                }
                let (rest, _) = client.rest().await;
                assert_eq!(
                    String::from_utf8_lossy(&rest),
                    "",
                    "{path} {head:?} {sent:?} {reset}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_provider_closed_costs_no_request() {
    let stage = Stage::start().await;
    let mut client = Socket::connect(&stage.proxy.addr()).await;
    // A body that is passed on as it comes can't be had again; everything else can.
    let mut requests: Vec<String> = PATHS[..3].iter().map(|path| post(path, "")).collect();
    requests.push("GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n".to_owned());
    for round in 0..40 {
        client.write(&requests[round % requests.len()]).await;
        let mut upstream = stage.provider.next().await;
        upstream.message().await.expect("a request");
        // It promises to stay, and goes.
        let answered = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        upstream.write(answered).await;
        let got = answer(&mut client).await;
        assert_eq!((got.status(), got.body.as_slice()), (200, &b"ok"[..]));
    }
}

#[tokio::test]
async fn a_request_that_a_provider_may_have_read_is_sent_once() {
    let stage = Stage::start().await;
    for path in PATHS {
        let (mut client, mut upstream) = stage.asked(path).await;
        for ends in [true, false] {
            let answered = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            upstream.write(answered).await;
            assert_eq!(answer(&mut client).await.status(), 200);
            client.write(post(path, "")).await;
            // Over the warm connection: all of it is read, and worked on, and then the provider goes without an answer.
            let asked = upstream.message().await.expect("a request");
            assert_eq!(asked.body, BODY.as_bytes());
            if ends {
                drop(upstream);
            } else {
                upstream.reset();
            }
            assert_eq!(answer(&mut client).await.status(), 502, "{path}");
            assert!(stage.provider.quiet().await, "{path}: it was sent twice");
            // The next one goes over a new connection.
            client.write(post(path, "")).await;
            upstream = stage.got().await;
        }
    }
}

#[tokio::test]
async fn a_connection_is_used_again_only_after_a_whole_answer() {
    let stage = Stage::start().await;
    for path in PATHS {
        let (mut client, mut upstream) = stage.asked(path).await;
        upstream.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil").await;
        assert_eq!(answer(&mut client).await.body, b"ok");
        client.write(post(path, "")).await;
        let mut next = stage.provider.next().await;
        next.message().await.expect("a request");
        next.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\ngood")
            .await;
        assert_eq!(answer(&mut client).await.body, b"good", "{path}");
    }
}

#[tokio::test]
async fn a_connection_is_used_again_after_an_answer_of_any_framing() {
    let stage = Stage::start().await;
    for path in PATHS {
        let (mut client, mut upstream) = stage.asked(path).await;
        for framed in [
            "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "content-length: 2\r\n\r\nok",
            "content-length: 0\r\n\r\n",
            "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ] {
            upstream.write(format!("HTTP/1.1 200 OK\r\n{framed}")).await;
            assert_eq!(answer(&mut client).await.status(), 200);
            client.write(post(path, "")).await;
            let again = upstream.message().await;
            assert!(again.is_some(), "{path} {framed:?}: a new connection");
        }
    }
}

#[tokio::test]
async fn an_old_client_gets_what_it_understands() {
    let stage = Stage::start().await;
    for path in PATHS {
        let mut client = Socket::connect(&stage.proxy.addr()).await;
        let request = post(path, "").replace("HTTP/1.1", "HTTP/1.0");
        client.write(request).await;
        let mut upstream = stage.provider.next().await;
        let asked = upstream.message().await.expect("a request");
        assert_eq!(asked.start, format!("POST {path} HTTP/1.1"));
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        upstream
            .write(format!("{head}5\r\nhello\r\n0\r\n\r\n"))
            .await;
        let (bytes, properly) = client.rest().await;
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            properly && text.starts_with("HTTP/1.0 200 OK\r\n"),
            "{text}"
        );
        assert!(text.ends_with("\r\n\r\nhello"), "{text}");
        assert!(!text.contains("transfer-encoding"), "{text}");
    }
}

#[tokio::test]
async fn an_answer_before_the_body_was_read_is_passed_on() {
    let stage = Stage::start().await;
    let large = " ".repeat(30 << 20);
    for path in PATHS {
        let mut client = Socket::connect(&stage.proxy.addr()).await;
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n");
        let length = large.len();
        client
            .write(format!("{head}content-length: {length}\r\n\r\n"))
            .await;
        let refusing = async {
            let mut upstream = stage.provider.next().await;
            upstream.head().await.expect("a request");
            let answered =
                "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno";
            upstream.write(answered).await;
            upstream
        };
        let sending = client.write_while_taken(large.as_bytes(), PAUSE);
        // The provider reads no more, and stays until its answer has been read.
        let (_upstream, _) = tokio::join!(refusing, sending);
        let got = answer(&mut client).await;
        assert_eq!(
            (got.status(), got.body.as_slice()),
            (401, &b"no"[..]),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_relayed_answer_may_begin_before_the_request_has_ended() {
    let stage = Stage::start().await;
    let mut client = Socket::connect(&stage.proxy.addr()).await;
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    client
        .write(format!("POST /v1/files HTTP/1.1\r\nhost: x\r\n{chunked}"))
        .await;
    let mut upstream = stage.provider.next().await;
    upstream.head().await.expect("a request");
    upstream
        .write(format!("HTTP/1.1 200 OK\r\n{chunked}"))
        .await;
    client.head().await.expect("an answer");
    let piece = b"5\r\nhello\r\n";
    for _ in 0..5 {
        client.write(piece).await;
        assert_eq!(upstream.take(piece.len()).await, piece);
        upstream.write(piece).await;
        assert_eq!(client.take(piece.len()).await, piece);
    }
    client.write("0\r\n\r\n").await;
    assert_eq!(upstream.take(5).await, b"0\r\n\r\n");
    upstream.write("0\r\n\r\n").await;
    assert_eq!(client.take(5).await, b"0\r\n\r\n");
}
