//! What comes back from a provider.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::connection::Connection;
use super::pool::Pool;

/// The body of a provider's response. It drives its connection, and gives it back when it has come to its end; dropped before, it
/// takes the connection with it: the provider need not write on.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    incoming: Incoming,
    /// What was read of it ahead, and is to be told first; then how that ended early.
    ahead: Option<Bytes>,
    ahead_broken: Option<hyper::Error>,
    /// Why it ends early, to be told when all that came before is on its way to the client.
    broken: Option<hyper::Error>,
    /// `None` at the end.
    connection: Option<Connection>,
    /// Where the connection goes, if the provider keeps it.
    pool: Arc<Pool>,
}

impl ResponseBody {
    /// The body that `connection` reads.
    pub(super) fn new(incoming: Incoming, connection: Connection, pool: Arc<Pool>) -> Self {
        let mut body = Self {
            incoming,
            ahead: None,
            ahead_broken: None,
            broken: None,
            connection: Some(connection),
            pool,
        };
        if body.incoming.is_end_stream() {
            body.end();
        }
        body
    }

    /// Reads all of it ahead, if it is complete and has no more than `most` bytes. Whatever was read is told all the same.
    pub(crate) async fn peek(&mut self, most: usize) -> Option<Bytes> {
        let mut read = BytesMut::new();
        let whole = loop {
            match self.frame().await {
                None => break true,
                Some(Ok(frame)) => read.extend(frame.into_data()),
                Some(Err(error)) => {
                    self.ahead_broken = Some(error);
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
        if let Some(connection) = self.connection.take() {
            self.pool.put(connection);
        }
    }

    fn poll_incoming(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(context);
        if polled.is_pending()
            && let Some(connection) = &mut self.connection
        {
            connection.drive(context);
            return Pin::new(&mut self.incoming).poll_frame(context);
        }
        polled
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if let Some(ahead) = this.ahead.take() {
            return Poll::Ready(Some(Ok(Frame::data(ahead))));
        }
        if let Some(error) = this.broken.take() {
            this.connection = None;
            return Poll::Ready(Some(Err(error)));
        }
        let polled = match this.ahead_broken.take() {
            Some(error) => Poll::Ready(Some(Err(error))),
            None => this.poll_incoming(context),
        };
        if let Poll::Ready(Some(Err(error))) = polled {
            // The client's side throws away what it has not written when it hears of this; it writes when it has to wait.
            this.broken = Some(error);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if matches!(polled, Poll::Ready(None)) || this.incoming.is_end_stream() {
            this.end();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let is_told = self.ahead.is_none() && self.ahead_broken.is_none() && self.broken.is_none();
        is_told && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.incoming.size_hint();
        let ahead = self.ahead.as_ref().map_or(0, |ahead| ahead.len() as u64);
        match rest.exact() {
            Some(rest) => SizeHint::with_exact(ahead + rest),
            None => SizeHint::new(),
        }
    }
}
