//! A connection as it begins: plain requests are answered one after the other, with no buffer, no task and no state that
//! outlives a request.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf as _, Bytes, BytesMut};
use http::Response;
use http::request::Parts;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::body;
use super::head::{Head, Heads, Unplain};
use super::rewound::Rewound;
use crate::body::Unread;
use crate::dialect::Dialect;
use crate::http1::{read_at_most, read_some};

/// How long a client may take to send the next request's headers. It counts from the end of the one before, so it is longer than
/// clients keep idle connections (90 s is common).
pub(super) const HEADERS_TIMEOUT: Duration = Duration::from_secs(150);
/// How much is read to find a head in: the rest of a large body need not be copied.
const STEP: usize = 16 << 10;
/// How much of the next requests is read while one is answered.
const MOST_HELD: usize = 64 << 10;

/// What answers plain requests.
pub(super) trait Answers {
    /// Answers a request of a dialect whose body was read, or could not be.
    fn answer(
        &self,
        dialect: &'static dyn Dialect,
        parts: Parts,
        received: Result<Bytes, Unread>,
    ) -> impl Future<Output = Response<Body>> + Send;
    /// How many bytes of a body are read.
    fn most_body(&self) -> usize;
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: S,
    /// What was read and belongs to requests that are still to be answered.
    held: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            held: BytesMut::new(),
        }
    }

    /// Answers plain requests until the connection ends, and gives it back as it was before the first request that is not plain.
    /// After `stopping` the request that has begun is the last.
    ///
    /// # Errors
    /// When it ends in the middle of a request or an answer.
    pub(super) async fn serve(
        mut self,
        answers: &impl Answers,
        stopping: &CancellationToken,
    ) -> io::Result<Option<Rewound<S>>> {
        loop {
            let head = match self.head(answers.most_body(), stopping).await {
                Ok(Some(head)) => head,
                Ok(None) => return Ok(None),
                Err(Unplain) => return Ok(Some(Rewound::new(self.held, self.stream))),
            };
            // In a box that does not outlast it: neither a connection that waits for its next request nor one with a long
            // answer needs the room.
            let (answer, last) = Box::pin(self.ask(head, answers, stopping)).await?;
            self.write(answer).await?;
            if last {
                self.stream.shutdown().await?;
                return Ok(None);
            }
        }
    }

    /// The head of the next request; `None` where none comes.
    async fn head(
        &mut self,
        most_body: usize,
        stopping: &CancellationToken,
    ) -> Result<Option<Head>, Unplain> {
        let deadline = Instant::now() + HEADERS_TIMEOUT;
        let mut heads = Heads::default();
        loop {
            if let Some(head) = heads.read(&self.held, most_body)? {
                return Ok(Some(head));
            }
            let idle = self.held.is_empty();
            let (stream, held) = (&mut self.stream, &mut self.held);
            let read = poll_fn(|context| read_at_most(stream, held, STEP, context));
            tokio::select! {
                biased;
                read = timeout_at(deadline, read) => match read {
                    Ok(Ok(1..)) => {}
                    Ok(Ok(0) | Err(_)) | Err(_) => return Ok(None),
                },
                () = stopping.cancelled(), if idle => return Ok(None),
            }
        }
    }

    /// Reads a request's body and has it answered. Gives whether the answer is the last.
    async fn ask(
        &mut self,
        head: Head,
        answers: &impl Answers,
        stopping: &CancellationToken,
    ) -> io::Result<(Answer, bool)> {
        self.held.advance(head.size);
        let received = body::read(&mut self.stream, &mut self.held, head.length).await;
        let broken = received.is_err();
        let answering = answers.answer(head.dialect, head.parts, received);
        let response = tokio::select! {
            biased;
            response = answering => response,
            // Who has stopped sending is told so, if still there.
            gone = poll_fn(|context| self.poll_gone(context)), if !broken => return Err(gone),
        };
        let last = broken || stopping.is_cancelled();
        Ok((Answer::new(response, last), last))
    }

    /// Writes an answer for as long as the client is there.
    async fn write(&mut self, mut answer: Answer) -> io::Result<()> {
        poll_fn(|context| {
            if let Poll::Ready(written) = answer.poll_write(&mut self.stream, context) {
                return Poll::Ready(written);
            }
            self.poll_gone(context).map(Err)
        })
        .await
    }

    /// Done when the client has gone; keeps what it asks next.
    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        while self.held.len() < MOST_HELD {
            match ready!(read_some(&mut self.stream, &mut self.held, context)) {
                Ok(0) => return Poll::Ready(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) => return Poll::Ready(error),
            }
        }
        Poll::Pending
    }
}
