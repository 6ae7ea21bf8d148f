//! What comes back from a provider.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::answer_head::AnswerHead;
use super::connection::{Connection, Switched};
use super::failure::Failure;
use super::framing::Framing;
use super::pool::Pool;

/// The body of a provider's answer. It drives its connection, and gives it back when it has come to its end; dropped before, it
/// takes the connection with it: the provider need not write on.
#[derive(Debug)]
pub(crate) struct AnswerBody {
    framing: Framing,
    /// What was read of it ahead, and is to be told first.
    ahead: Option<Bytes>,
    /// Why it ends early, to be told when all that came before is on its way to the client.
    broken: Option<Failure>,
    /// `None` at the end.
    connection: Option<Connection>,
    /// Where the connection goes, if the provider keeps it.
    pool: Option<Arc<Pool>>,
}

impl AnswerBody {
    /// The answer with this head.
    pub(super) fn answer(
        head: AnswerHead,
        connection: Connection,
        pool: &Arc<Pool>,
    ) -> Response<Self> {
        let mut body = Self {
            framing: head.framing,
            ahead: None,
            broken: None,
            connection: Some(connection),
            pool: head.is_kept.then(|| pool.clone()),
        };
        if head.response.status() == StatusCode::SWITCHING_PROTOCOLS {
            body.pool = None;
        } else if body.framing.is_ended() {
            body.end();
        }
        head.response.map(|()| body)
    }

    /// What is spoken on after an answer that switches protocols.
    pub(crate) fn switched(self) -> Option<Switched> {
        self.connection.map(Connection::switch)
    }

    /// Reads all of it ahead, if it is complete and has no more than `most` bytes. Whatever was read is told all the same.
    pub(crate) async fn peek(&mut self, most: usize) -> Option<Bytes> {
        let mut read = BytesMut::new();
        let whole = loop {
            match self.frame().await {
                None => {
                    self.connection = None;
                    break true;
                }
                Some(Ok(frame)) => read.extend(frame.into_data()),
                Some(Err(failure)) => {
                    self.broken = Some(failure);
                    break false;
                }
            }
            if read.len() > most {
                break false;
            }
        };
        let read = read.freeze();
        self.ahead = Some(read.clone()).filter(|read| !read.is_empty());
        whole.then_some(read)
    }

    /// Gives the connection back.
    fn end(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Some(pool) = &self.pool
        {
            pool.put(connection);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = &mut *self;
        if let Some(ahead) = this.ahead.take() {
            return Poll::Ready(Some(Ok(Frame::data(ahead))));
        }
        if let Some(failure) = this.broken.take() {
            this.connection = None;
            return Poll::Ready(Some(Err(failure)));
        }
        let Some(connection) = &mut this.connection else {
            return Poll::Ready(None);
        };
        let polled = ready!(connection.poll_data(&mut this.framing, context));
        if let Some(Err(failure)) = polled {
            // The client's side throws away what it has not written when it hears of this; it writes when it has to wait.
            this.broken = Some(failure);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.framing.is_ended() {
            this.end();
        }
        Poll::Ready(polled.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none() && self.ahead.is_none() && self.broken.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.as_ref().map_or(0, Bytes::len) as u64;
        let left = self.framing.left().map(|left| left + ahead);
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
