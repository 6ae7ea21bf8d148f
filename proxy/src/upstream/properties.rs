//! What must hold of a connection, whatever a provider says on it and however its bytes are cut.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex,
};
use tokio::net::{TcpListener, TcpStream};

use super::connection::Connection;
use super::request::Request;
use super::request_body::RequestBody;
use crate::http1::cut;
use crate::plan::splice::Rope;

/// Far more than any of these takes.
const HANG: Duration = Duration::from_secs(20);

/// What was heard of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// None; why, in words.
    Nothing(String),
    /// Its status and body, and whether it came to its end.
    Answer(u16, Vec<u8>, bool),
}

fn request(method: Method, body: RequestBody) -> Request {
    let host = HeaderValue::from_static("h");
    Request::new((method, "/v1/x"), &host, HeaderMap::new(), body)
}

/// Asks over a connection and reads the answer.
async fn ask(stream: impl AsyncRead + AsyncWrite + Unpin, mut request: Request) -> Heard {
    let mut connection = Connection::new(stream);
    let mut head = match connection.send(&mut request).await {
        Ok(head) => head,
        Err(failure) => return Heard::Nothing(failure.to_string()),
    };
    let mut body = Vec::new();
    let ended = loop {
        let next =
            |context: &mut std::task::Context<'_>| connection.poll_data(&mut head.framing, context);
        match std::future::poll_fn(next).await {
            Some(Ok(data)) => body.extend_from_slice(&data),
            Some(Err(_)) => break false,
            None => break true,
        }
    };
    Heard::Answer(head.response.status().as_u16(), body, ended)
}

/// What is heard when a provider reads nothing or all, says this in these pieces, and stays or goes.
fn hear(method: &Method, pieces: &[&[u8]], reads: bool) -> Heard {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (near, far) = duplex(64);
        let body = RequestBody::Whole(Rope::from(Bytes::from(vec![b'x'; 1000])));
        let (mut from, mut to) = tokio::io::split(far);
        let saying = async {
            for piece in pieces {
                // What nobody wants to hear any more is not taken.
                if to.write_all(piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            let _ = to.shutdown().await;
        };
        let reading = async {
            let mut all = Vec::new();
            if reads {
                let _ = from.read_to_end(&mut all).await;
            }
        };
        let asking = ask(near, request(method.clone(), body));
        let (heard, (), ()) =
            tokio::time::timeout(HANG, async { tokio::join!(asking, saying, reading) })
                .await
                .expect("it hangs");
        heard
    })
}

/// Answers, most of them good, in the parts that providers make them of.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(
        &[
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 204 No\r\n",
            "HTTP/1.0 200 OK\r\n",
            "content-length: 5\r\n",
            "content-length: 9\r\n",
            "content-length: 0\r\n",
            "transfer-encoding: chunked\r\n",
            "connection: close\r\n",
            "x: y\r\n",
            "\r\n",
            "hello",
            "5\r\nhello\r\n",
            "5;a=b\r\nhello\r\n",
            "0\r\n\r\n",
            "0\r\na: b\r\n\r\n",
            "\u{0}",
            "data: 1\n\n",
        ][..],
    );
    let start = prop::sample::select(
        &[
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "HTTP/1.1 200 OK\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\n",
            "",
        ][..],
    );
    let flips = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    let parts = prop::collection::vec(part, 0..8);
    (start, parts, flips).prop_map(|(start, parts, flips)| {
        let mut bytes = [start, &parts.concat()].concat().into_bytes();
        for (place, byte) in flips {
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
        }
        bytes
    })
}

#[test]
fn answers_are_heard_to_their_ends() {
    let five = "content-length: 5\r\n\r\nhello";
    let chunks = "transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    for (rest, ended) in [
        (five, true),
        (chunks, true),
        ("\r\nhello", true),
        ("content-length: 6\r\n\r\nhello", false),
        (
            "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
            false,
        ),
        ("transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nx", false),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{rest}");
        for reads in [true, false] {
            let heard = hear(&Method::POST, &[answer.as_bytes()], reads);
            assert_eq!(
                heard,
                Heard::Answer(200, b"hello".to_vec(), ended),
                "{rest:?}"
            );
        }
    }
}

/// What a provider gets of a request up to the end of `mark`, that it may answer.
async fn arrived(mut far: DuplexStream, mark: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(mark) {
        bytes.push(far.read_u8().await.unwrap());
    }
    far.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();
    bytes
}

#[tokio::test]
async fn a_body_goes_out_as_its_head_says() {
    let pieces = ["hel", "", "lo!"];
    let stream = || futures_util::stream::iter(pieces.map(Ok::<_, std::io::Error>));
    let endless = || RequestBody::Streamed(Body::from_stream(stream()));
    let known = || RequestBody::Streamed(Body::from("hello!"));
    let spans = [(0..0, Bytes::from_static(b"hel"))];
    let rope = Rope::splice(&Bytes::from_static(b"lo!"), spans);
    let start = "POST /v1/x HTTP/1.1\r\nhost: h\r\n";
    for (body, rest) in [
        (RequestBody::Whole(rope), "content-length: 6\r\n\r\nhello!"),
        (known(), "content-length: 6\r\n\r\nhello!"),
        (
            endless(),
            "transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n3\r\nlo!\r\n0\r\n\r\n",
        ),
    ] {
        let (near, far) = duplex(16);
        let asking = ask(near, request(Method::POST, body));
        let mark = rest.as_bytes();
        let both = async { tokio::join!(asking, arrived(far, mark)) };
        let (heard, bytes) = tokio::time::timeout(HANG, both).await.expect("it hangs");
        assert_eq!(String::from_utf8_lossy(&bytes), format!("{start}{rest}"));
        assert_eq!(heard, Heard::Answer(204, Vec::new(), true));
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_its_request_off() {
    let pieces = [Ok("hello"), Err(std::io::Error::other("gone"))];
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let (near, mut far) = duplex(1 << 10);
    let heard = ask(near, request(Method::POST, RequestBody::Streamed(body))).await;
    assert_eq!(
        heard,
        Heard::Nothing("the request's body broke off".to_owned())
    );
    let mut bytes = Vec::new();
    far.read_to_end(&mut bytes).await.unwrap();
    assert!(!bytes.ends_with(b"0\r\n\r\n"));
}

#[tokio::test]
async fn an_answer_is_heard_of_a_provider_that_takes_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let large = Bytes::from(vec![b'x'; 8 << 20]);
    for _ in 0..20 {
        let refusing = async {
            let (mut far, _) = listener.accept().await.unwrap();
            far.read_u8().await.unwrap();
            let answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno";
            far.write_all(answer).await.unwrap();
            // Closed with the request unread, it resets the connection.
        };
        let asking = async {
            let near = TcpStream::connect(addr).await.unwrap();
            let body = RequestBody::Whole(Rope::from(large.clone()));
            ask(near, request(Method::POST, body)).await
        };
        let both = async { tokio::join!(asking, refusing) };
        let (heard, ()) = tokio::time::timeout(HANG, both).await.expect("it hangs");
        assert_eq!(heard, Heard::Answer(413, b"no".to_vec(), true));
    }
}

proptest! {
    #[test]
    fn any_answer_is_heard_the_same_however_it_is_cut(
        bytes in answers(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        head in any::<bool>(),
        reads in any::<bool>(),
    ) {
        let method = if head { Method::HEAD } else { Method::POST };
        let whole = hear(&method, &[&bytes], true);
        prop_assert_eq!(hear(&method, &cut(&bytes, &places), reads), whole);
    }
}
