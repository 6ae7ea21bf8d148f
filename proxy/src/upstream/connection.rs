//! One HTTP/1.1 connection to a provider. No task of its own drives it: whoever sends a request or reads an answer does, so a
//! request goes all its way in one task, and a request that is given up takes its connection with it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::Method;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer_head::AnswerHead;
use super::connect;
use super::failure::Failure;
use super::framing::Framing;
use super::request::Request;
use super::request_body::{Coming, RequestBody};
use crate::http1::{Outbox, read_some};
use crate::plan::splice::Rope;

/// A connection's bytes. In a box: with TLS it is large, and it moves with every request.
pub(crate) type Stream = Box<TokioIo<connect::Stream>>;

/// The connection. Between requests it holds no buffer.
pub(super) struct Connection<S = Stream> {
    stream: S,
    /// What was read and is not understood yet.
    read: BytesMut,
    /// Whether a byte was read since the last request.
    heard: bool,
    writing: Writing,
    outbox: Outbox,
    /// A request whose body is still coming.
    coming: Option<Box<Coming>>,
}

/// How far a request is written.
enum Writing {
    /// Something may be left.
    Going,
    Done,
    /// The provider takes no more.
    Failed(io::Error),
}

/// A connection whose provider speaks something else on it now.
pub(crate) struct Switched<S = Stream> {
    pub(crate) stream: S,
    /// What was read of it already.
    pub(crate) ahead: Bytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Speaks HTTP/1.1 on a stream.
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            read: BytesMut::new(),
            heard: false,
            writing: Writing::Done,
            outbox: Outbox::default(),
            coming: None,
        }
    }

    /// Sends a request and waits for the head of the answer. A body that is whole stays in the request.
    ///
    /// # Errors
    /// When there is no answer; the connection is of no more use then.
    pub(super) async fn send(&mut self, request: &mut Request) -> Result<AnswerHead, Failure> {
        self.begin(request);
        poll_fn(|context| self.poll_head(&request.method, context)).await
    }

    fn begin(&mut self, request: &mut Request) {
        self.heard = false;
        self.writing = Writing::Going;
        let head = request.head.clone();
        if let RequestBody::Whole(rope) = &request.body {
            self.outbox.push(head);
            for slice in rope.slices() {
                self.outbox.push(slice.clone());
            }
            return;
        }
        let length = request.body.length();
        let taken = RequestBody::Whole(Rope::default());
        if let RequestBody::Streamed(body) = std::mem::replace(&mut request.body, taken) {
            self.coming = Some(Box::new(Coming::new(head, body, length)));
        }
    }

    /// Whether a byte of an answer came since the last request.
    pub(super) const fn heard(&self) -> bool {
        self.heard
    }

    /// What comes next of an answer's body, which may begin before its request has ended; `None` at its end.
    pub(super) fn poll_data(
        &mut self,
        framing: &mut Framing,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Failure>>> {
        self.write(context)?;
        loop {
            let data = framing.take(&mut self.read)?;
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(data)));
            }
            if framing.is_ended() {
                return Poll::Ready(None);
            }
            if ready!(self.poll_read(context))? == 0 {
                framing.close()?;
            }
        }
    }

    /// Whether the next request may be sent on it: the last one and its answer have come to their ends, and nothing follows.
    pub(super) fn is_ready(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        matches!(self.writing, Writing::Done)
            && self.read.is_empty()
            && self.poll_read(&mut context).is_pending()
    }

    /// Gives the stream to whoever speaks something else on it.
    pub(super) fn switch(self) -> Switched<S> {
        Switched {
            stream: self.stream,
            ahead: self.read.freeze(),
        }
    }

    /// Writes, and waits for the head of the answer. A provider may answer before it has read the request.
    fn poll_head(
        &mut self,
        method: &Method,
        context: &mut Context<'_>,
    ) -> Poll<Result<AnswerHead, Failure>> {
        self.write(context)?;
        loop {
            if let Some(head) = AnswerHead::take(method, &mut self.read)? {
                return Poll::Ready(Ok(head));
            }
            if ready!(self.poll_read(context))? == 0 {
                return Poll::Ready(Err(self.failed().unwrap_or(Failure::Closed)));
            }
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<usize, Failure>> {
        let read = ready!(read_some(&mut self.stream, &mut self.read, context));
        self.heard |= read.as_ref().is_ok_and(|length| *length > 0);
        Poll::Ready(read.map_err(|error| self.failed().unwrap_or(Failure::Read(error))))
    }

    /// Writes what can be written now. That the provider takes no more is not a failure yet: it may have answered.
    ///
    /// # Errors
    /// When the request's body breaks off.
    fn write(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        while matches!(self.writing, Writing::Going) {
            let mut waits = false;
            if let Some(coming) = &mut self.coming
                && self.outbox.is_empty()
            {
                match coming.poll_next(&mut self.outbox, context)? {
                    Poll::Ready(true) => {}
                    Poll::Ready(false) => self.coming = None,
                    Poll::Pending => waits = true,
                }
            }
            match self.outbox.poll_write(&mut self.stream, context) {
                Poll::Ready(Ok(())) if waits => return Ok(()),
                Poll::Ready(Ok(())) if self.coming.is_some() => {}
                Poll::Ready(Ok(())) => self.written(Writing::Done),
                Poll::Ready(Err(error)) => self.written(Writing::Failed(error)),
                Poll::Pending => return Ok(()),
            }
        }
        Ok(())
    }

    /// Writes no more, and holds nothing that was to be written.
    fn written(&mut self, writing: Writing) {
        self.writing = writing;
        self.coming = None;
        self.outbox = Outbox::default();
    }

    /// Why the request could not be written.
    fn failed(&mut self) -> Option<Failure> {
        match std::mem::replace(&mut self.writing, Writing::Done) {
            Writing::Failed(error) => Some(Failure::Write(error)),
            writing => {
                self.writing = writing;
                None
            }
        }
    }
}

impl<S> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is on its way may be secret.
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
