//! A connection with clients that send whatever they like in whatever pieces.

use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::connection::{Answers, Connection};
use crate::body::Unread;
use crate::dialect::Dialect;
use crate::http1::cut;

/// A body larger than this is not plain.
const MOST_BODY: usize = 1 << 20;
/// Nothing here waits for longer.
const SOON: Duration = Duration::from_secs(20);
/// A request that is not plain.
const UNPLAIN: &str = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";

/// What was asked: the target, and the body if it came.
type Asked = Vec<(String, Option<Bytes>)>;

/// Answers each request with its own body, and keeps what was asked.
#[derive(Default)]
struct Echo {
    asked: Mutex<Asked>,
}

impl Answers for Echo {
    async fn answer(
        &self,
        _: &'static dyn Dialect,
        parts: Parts,
        received: Result<Bytes, Unread>,
    ) -> Response<Body> {
        let body = received.ok();
        let asked = (parts.uri.to_string(), body.clone());
        self.asked.lock().unwrap().push(asked);
        tokio::task::yield_now().await;
        Response::new(Body::from(body.unwrap_or_default()))
    }

    fn most_body(&self) -> usize {
        MOST_BODY
    }
}

/// What became of a connection.
#[derive(Debug)]
struct Outcome {
    asked: Asked,
    /// What another one is to read, where the connection goes to another.
    rest: Option<Vec<u8>>,
    answers: Vec<u8>,
}

/// What becomes of a connection whose client sends these pieces, and says that it has ended when so many bytes of answers have come.
fn outcome(pieces: &[&[u8]], answers: usize) -> Outcome {
    let whole = async {
        let echo = Echo::default();
        let (near, far) = duplex(1 << 10);
        let serving = async {
            let never = CancellationToken::new();
            let served = Connection::new(near).serve(&echo, &never).await;
            let mut rewound = served.ok().flatten()?;
            let mut rest = Vec::new();
            rewound.read_to_end(&mut rest).await.unwrap();
            Some(rest)
        };
        let (rest, answers) = tokio::join!(serving, client(far, pieces, answers));
        let asked = echo.asked.into_inner().unwrap();
        Outcome {
            asked,
            rest,
            answers,
        }
    };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let in_time = runtime.block_on(async { tokio::time::timeout(SOON, whole).await });
    in_time.expect("it hangs")
}

async fn client(stream: DuplexStream, pieces: &[&[u8]], answers: usize) -> Vec<u8> {
    let (mut from, mut to) = split(stream);
    let (come, mut came) = watch::channel(0);
    let writing = async {
        for piece in pieces {
            if to.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        let _ = came.wait_for(|came| *came >= answers).await;
        let _ = to.shutdown().await;
    };
    let reading = async move {
        let mut read = Vec::new();
        while let Ok(1..) = from.read_buf(&mut read).await {
            come.send_replace(read.len());
        }
        read
    };
    tokio::join!(writing, reading).1
}

/// Requests with these bodies, one behind the other.
fn requests(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, body) in bodies.iter().enumerate() {
        let start = format!("POST /v1/messages?{at} HTTP/1.1\r\nhost: x\r\n");
        let head = format!("{start}content-length: {}\r\n\r\n", body.len());
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(body);
    }
    bytes
}

/// How an answer begins, and its head ends.
fn answer(body: &[u8]) -> (&'static str, String) {
    let begin = "HTTP/1.1 200 OK\r\ndate: ";
    let end = format!(" GMT\r\ncontent-length: {}\r\n\r\n", body.len());
    (begin, end)
}

const DATE: usize = "Sat, 01 Jan 2000 00:00:00".len();

fn bodies(most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let length = prop_oneof![4 => 0..100_usize, 1 => 0..most];
    let body = (any::<u8>(), length).prop_map(|(byte, length)| {
        let bytes = (0..length).map(|at| byte.wrapping_add(at.to_le_bytes()[1]));
        bytes.collect()
    });
    prop::collection::vec(body, 0..6)
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..20)
}

proptest! {
    #[test]
    fn requests_are_the_same_however_they_are_cut(bodies in bodies(MOST_BODY), cuts in cuts(), unplain: bool) {
        let mut bytes = requests(&bodies);
        let tail = if unplain { UNPLAIN } else { "" };
        bytes.extend_from_slice(tail.as_bytes());
        let length = |body: &Vec<u8>| {
            let (begin, end) = answer(body);
            begin.len() + DATE + end.len() + body.len()
        };
        let all = bodies.iter().map(length).sum();
        let outcome = outcome(&cut(&bytes, &cuts), all);
        let asked = bodies.iter().enumerate();
        let asked: Asked = asked.map(|(at, body)| (format!("/v1/messages?{at}"), Some(Bytes::from(body.clone())))).collect();
        prop_assert!(outcome.asked == asked, "other requests");
        prop_assert_eq!(outcome.rest, unplain.then(|| UNPLAIN.into()));
        let mut answers = outcome.answers.as_slice();
        for body in &bodies {
            let (begin, end) = answer(body);
            prop_assert!(answers.starts_with(begin.as_bytes()));
            answers = &answers[begin.len() + DATE..];
            prop_assert!(answers.starts_with(end.as_bytes()));
            answers = &answers[end.len()..];
            prop_assert!(answers.starts_with(body));
            answers = &answers[body.len()..];
        }
        prop_assert_eq!(answers, b"");
    }

    #[test]
    fn nonsense_ends(bodies in bodies(1_000), noise in prop::collection::vec((any::<Index>(), any::<Index>(), ".{0,3}"), 0..5), cuts in cuts()) {
        let mut bytes = requests(&bodies);
        for (at, length, put) in noise {
            let begin = at.index(bytes.len() + 1);
            let end = bytes.len().min(begin + length.index(10));
            bytes.splice(begin..end, put.into_bytes());
        }
        let one = outcome(&[&bytes], 0);
        let other = outcome(&cut(&bytes, &cuts), 0);
        // A client that ends early may not be heard out, but is never heard otherwise. What it did not send whole is no request.
        let whole = |outcome: Outcome| -> Asked { outcome.asked.into_iter().filter(|(_, body)| body.is_some()).collect() };
        let (one, other) = (whole(one), whole(other));
        let both = one.len().min(other.len());
        prop_assert_eq!(&one[..both], &other[..both]);
    }
}

#[test]
fn a_body_that_does_not_come_whole_is_refused_once() {
    let mut bytes = requests(&[b"hello".to_vec()]);
    bytes.pop();
    let outcome = outcome(&[&bytes], 0);
    assert_eq!(outcome.asked, [("/v1/messages?0".to_owned(), None)]);
    let said = String::from_utf8_lossy(&outcome.answers);
    assert!(said.contains("\r\nconnection: close\r\n"), "{said}");
}

#[test]
fn a_body_beyond_the_bound_is_another_s() {
    let bytes = requests(&[vec![b'x'; MOST_BODY + 1]]);
    let outcome = outcome(&[&bytes], 0);
    assert_eq!(outcome.asked, []);
    assert!(outcome.rest.unwrap() == bytes, "other bytes");
}
