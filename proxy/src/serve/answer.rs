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

use crate::http1::{LAST_CHUNK, Outbox, chunk, write_fields};

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
    let said = said.and_then(|length| length.to_str().ok()?.parse().ok());
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
