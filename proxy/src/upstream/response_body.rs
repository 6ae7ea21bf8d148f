//! What comes back from a provider.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::Connection;
use super::pool::Pool;

/// The body of a provider's response. It drives its connection, and gives it back when it has come to its end; dropped before, it
/// takes the connection with it: the provider need not write on.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    incoming: Incoming,
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
            broken: None,
            connection: Some(connection),
            pool,
        };
        if body.incoming.is_end_stream() {
            body.end();
        }
        body
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
        if let Some(error) = this.broken.take() {
            this.connection = None;
            return Poll::Ready(Some(Err(error)));
        }
        let polled = this.poll_incoming(context);
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
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
