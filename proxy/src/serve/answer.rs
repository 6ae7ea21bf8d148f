//! Writing an answer: its head as HTTP/1.1 has it, and its body as it comes.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use axum::body::Body;
use bytes::Bytes;
use http::response::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Body as _;
use httpdate::HttpDate;
use hyper::ext::ReasonPhrase;
use tokio::io::AsyncWrite;

use crate::http1::{LAST_CHUNK, Outbox, chunk, decimal, write_fields};

/// How much of a body is taken before it is written, where that much is there.
const MOST_TAKEN: usize = 64 << 10;
/// What a head is usually shorter than.
const HEAD: usize = 1 << 10;

/// An answer on its way to the client.
#[derive(Debug)]
pub(super) struct Answer {
    outbox: Outbox,
    /// Bytes of the body that were taken since all was written.
    taken: usize,
    /// `None` when all of it was taken.
    body: Option<Body>,
    framing: Framing,
    /// Why the client can't be given all that it was promised.
    broken: Option<io::Error>,
}

/// How a client knows a body's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// By its length, of which so much is still to come.
    Length(u64),
    Chunked,
}

impl Answer {
    /// An answer of which nothing is written yet. Where it is its connection's last, it says so.
    pub(super) fn new(response: Response<Body>, last: bool) -> Self {
        let (mut parts, body) = response.into_parts();
        let body = has_body(parts.status).then_some(body);
        let framing = framing(&mut parts, body.as_ref());
        let mut outbox = Outbox::default();
        outbox.push(head(&parts, last).into());
        Self {
            outbox,
            taken: 0,
            body,
            framing,
            broken: None,
        }
    }

    /// Writes what there is. It is done when all is written, and asks for more of the body only when what it has is written.
    ///
    /// # Errors
    /// When the stream breaks, or the body is not what was promised: its client must not take it for whole.
    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let taken = self.take(context);
            ready!(self.outbox.poll_write(stream, context))?;
            self.taken = 0;
            if let Some(error) = self.broken.take() {
                return Poll::Ready(Err(error));
            }
            if self.body.is_none() {
                return Poll::Ready(Ok(()));
            }
            ready!(taken);
        }
    }

    /// Takes what is there of the body, up to a bound; pending where there could be more.
    fn take(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.taken < MOST_TAKEN
            && let Some(body) = &mut self.body
        {
            match ready!(Pin::new(body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    // Trailers are not passed on.
                    if let Ok(data) = frame.into_data() {
                        self.put(data);
                    }
                    if self.body.as_ref().is_some_and(Body::is_end_stream) {
                        self.end();
                    }
                }
                Some(Err(error)) => self.break_off(io::Error::other(error)),
                None => self.end(),
            }
        }
        Poll::Ready(())
    }

    fn put(&mut self, mut data: Bytes) {
        self.taken += data.len();
        match &mut self.framing {
            Framing::Chunked if data.is_empty() => {}
            Framing::Chunked => chunk(&mut self.outbox, data),
            Framing::Length(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                let beyond = data.len() > most;
                data.truncate(most);
                *left -= data.len() as u64;
                self.outbox.push(data);
                if beyond {
                    self.break_off(io::Error::other("the answer is longer than announced"));
                }
            }
        }
    }

    fn end(&mut self) {
        self.body = None;
        match self.framing {
            Framing::Chunked => self.outbox.push(LAST_CHUNK),
            Framing::Length(0) => {}
            Framing::Length(_) => {
                self.break_off(io::Error::other("the answer is shorter than announced"));
            }
        }
    }

    fn break_off(&mut self, error: io::Error) {
        self.body = None;
        self.broken = Some(error);
    }
}

fn has_body(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// How a body is framed, which its head then says in one way alone.
fn framing(parts: &mut Parts, body: Option<&Body>) -> Framing {
    let said = parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::TRANSFER_ENCODING);
    let Some(body) = body else {
        return Framing::Length(0);
    };
    let said = said.and_then(|length| decimal(length.as_bytes()));
    if let Some(length) = said.or_else(|| body.size_hint().exact()) {
        let headers = &mut parts.headers;
        headers.insert(header::CONTENT_LENGTH, length.into());
        Framing::Length(length)
    } else {
        let chunked = HeaderValue::from_static("chunked");
        parts.headers.insert(header::TRANSFER_ENCODING, chunked);
        Framing::Chunked
    }
}

fn head(parts: &Parts, last: bool) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(b"HTTP/1.1 ");
    head.extend_from_slice(parts.status.as_str().as_bytes());
    head.push(b' ');
    let own = parts.extensions.get::<ReasonPhrase>();
    let usual = || parts.status.canonical_reason().unwrap_or_default();
    head.extend_from_slice(own.map_or_else(|| usual().as_bytes(), ReasonPhrase::as_bytes));
    head.extend_from_slice(b"\r\n");
    if !parts.headers.contains_key(header::DATE) {
        let now = HttpDate::from(SystemTime::now());
        // A buffer in memory takes all that it is given.
        let _ = write!(head, "date: {now}\r\n");
    }
    if last {
        head.extend_from_slice(b"connection: close\r\n");
    }
    write_fields(&mut head, &parts.headers);
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http::HeaderMap;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use std::future::poll_fn;

    /// An answer with these header lines, whose body comes in these pieces; `None` breaks it off.
    fn answer(
        headers: &[(&'static str, &'static str)],
        pieces: &[Option<&'static str>],
    ) -> Response<Body> {
        let frames: Vec<_> = pieces
            .iter()
            .map(|piece| {
                let broken = || io::Error::other("broken");
                piece
                    .map(|piece| Frame::data(Bytes::from(piece)))
                    .ok_or_else(broken)
            })
            .collect();
        let mut response = Response::new(Body::new(StreamBody::new(stream::iter(frames))));
        for (name, value) in headers {
            response
                .headers_mut()
                .append(*name, HeaderValue::from_static(value));
        }
        response
    }

    /// What of an answer is written, and whether it is whole. A date is left out.
    async fn written(response: Response<Body>, last: bool) -> (String, bool) {
        let mut answer = Answer::new(response, last);
        let mut stream = Vec::new();
        let whole = poll_fn(|context| answer.poll_write(&mut stream, context)).await;
        let text = String::from_utf8(stream).unwrap();
        let lines = text
            .split_inclusive("\r\n")
            .filter(|line| !line.starts_with("date: "));
        (lines.collect(), whole.is_ok())
    }

    async fn assert_written(response: Response<Body>, text: &str, whole: bool) {
        assert_eq!(written(response, false).await, (text.to_owned(), whole));
    }

    #[tokio::test]
    async fn lengths() {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
        let length = [("content-length", "5")];
        for pieces in [&[Some("hello")][..], &[Some("he"), Some(""), Some("llo")]] {
            assert_written(answer(&length, pieces), &format!("{head}hello"), true).await;
        }
        let twice = [length[0], length[0]];
        assert_written(
            answer(&twice, &[Some("hello")]),
            &format!("{head}hello"),
            true,
        )
        .await;
        for (pieces, text) in [
            (&[Some("hell")][..], "hell"),
            (&[], ""),
            (&[Some("hell"), None], "hell"),
            (&[Some("hello"), None], "hello"),
            (&[Some("hello!")], "hello"),
            (&[Some("hell"), Some("o!")], "hello"),
        ] {
            assert_written(answer(&length, pieces), &format!("{head}{text}"), false).await;
        }
        assert_written(
            Response::new(Body::from("hello")),
            &format!("{head}hello"),
            true,
        )
        .await;
        let empty = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        assert_written(Response::new(Body::empty()), empty, true).await;
    }

    #[tokio::test]
    async fn chunks() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        for (pieces, text, whole) in [
            (&[][..], "0\r\n\r\n", true),
            (
                &[Some("he"), Some(""), Some("llo")],
                "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
                true,
            ),
            (&[Some("hello"), None], "5\r\nhello\r\n", false),
            (&[None], "", false),
        ] {
            assert_written(answer(&[], pieces), &format!("{head}{text}"), whole).await;
        }
        let trailers = Frame::trailers(HeaderMap::new());
        let frames = [
            Ok::<_, io::Error>(Frame::data(Bytes::from("hello"))),
            Ok(trailers),
        ];
        let response = Response::new(Body::new(StreamBody::new(stream::iter(frames))));
        assert_written(response, &format!("{head}5\r\nhello\r\n0\r\n\r\n"), true).await;
    }

    #[tokio::test]
    async fn heads() {
        for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
            let mut response = answer(&[("content-length", "5"), ("etag", "x")], &[Some("hello")]);
            *response.status_mut() = status;
            let text = format!("HTTP/1.1 {status}\r\netag: x\r\n\r\n");
            assert_written(response, &text, true).await;
        }
        let mut response = Response::new(Body::empty());
        response
            .extensions_mut()
            .insert(ReasonPhrase::from_static(b"Quite"));
        let text = "HTTP/1.1 200 Quite\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(written(response, true).await, (text.to_owned(), true));
        let mut answer = Answer::new(answer(&[("date", "then")], &[]), false);
        let mut stream = Vec::new();
        poll_fn(|context| answer.poll_write(&mut stream, context))
            .await
            .unwrap();
        let text = String::from_utf8(stream).unwrap();
        assert_eq!(text.matches("date: ").count(), 1, "{text}");
        assert!(text.contains("\r\ndate: then\r\n"), "{text}");
    }
}
