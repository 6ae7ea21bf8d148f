//! The body of a provider's response.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::connection::Connection;
use super::pool::Pool;

/// The body of a provider's response. Reading it drives its connection, and its end gives the connection back to the pool. Where it is
/// dropped before, the connection is closed, so that the provider need not write on.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    incoming: Incoming,
    /// What [`Self::peek`] has read and is still to be given out, and the error that it ended with.
    peeked: Option<Bytes>,
    peek_error: Option<hyper::Error>,
    /// The error that it ends with, to be given out when all before it is on its way to the client.
    pending_error: Option<hyper::Error>,
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
            peeked: None,
            peek_error: None,
            pending_error: None,
            connection: Some(connection),
            pool,
        };
        if body.incoming.is_end_stream() {
            body.release_connection();
        }
        body
    }

    /// Reads all of it, if it is complete and has no more than `limit` bytes. Whatever was read stays in the body.
    pub(crate) async fn peek(&mut self, limit: usize) -> Option<Bytes> {
        let mut read = BytesMut::new();
        let whole = loop {
            match self.frame().await {
                None => break true,
                Some(Ok(frame)) => read.extend(frame.into_data()),
                Some(Err(error)) => {
                    self.peek_error = Some(error);
                    break false;
                }
            }
            if read.len() > limit {
                break false;
            }
        };
        let read = read.freeze();
        self.peeked = Some(read.clone()).filter(|read| !read.is_empty());
        whole.then_some(read)
    }

    /// Gives the connection back to the pool.
    fn release_connection(&mut self) {
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
        if let Some(peeked) = this.peeked.take() {
            return Poll::Ready(Some(Ok(Frame::data(peeked))));
        }
        if let Some(error) = this.pending_error.take() {
            this.connection = None;
            return Poll::Ready(Some(Err(error)));
        }
        let polled = match this.peek_error.take() {
            Some(error) => Poll::Ready(Some(Err(error))),
            None => this.poll_incoming(context),
        };
        if let Poll::Ready(Some(Err(error))) = polled {
            // hyper drops what it has not yet written to the client when it gets an error, and writes it when it has to wait.
            this.pending_error = Some(error);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if matches!(polled, Poll::Ready(None)) || this.incoming.is_end_stream() {
            this.release_connection();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let is_given_out =
            self.peeked.is_none() && self.peek_error.is_none() && self.pending_error.is_none();
        is_given_out && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.incoming.size_hint();
        let peeked = self.peeked.as_ref().map_or(0, |peeked| peeked.len() as u64);
        match rest.exact() {
            Some(rest) => SizeHint::with_exact(peeked + rest),
            None => SizeHint::new(),
        }
    }
}
