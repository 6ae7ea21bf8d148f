//! What comes back from a provider.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::Connection;
use super::pool::Pool;

/// The body of a provider's answer. It drives its connection, and gives it back when it has come to its end.
#[derive(Debug)]
pub(crate) struct AnswerBody {
    incoming: Incoming,
    /// Whether all of it was read.
    ended: bool,
    /// Why it ends early, to be told when all that came before is on its way to the client.
    broken: Option<hyper::Error>,
    connection: Option<Connection>,
    pool: Arc<Pool>,
}

impl AnswerBody {
    pub(super) const fn new(incoming: Incoming, connection: Connection, pool: Arc<Pool>) -> Self {
        Self {
            incoming,
            ended: false,
            broken: None,
            connection: Some(connection),
            pool,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        if let Some(error) = this.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let mut polled = Pin::new(&mut this.incoming).poll_frame(context);
        if polled.is_pending()
            && let Some(connection) = &mut this.connection
        {
            connection.drive(context);
            polled = Pin::new(&mut this.incoming).poll_frame(context);
        }
        this.ended |= matches!(polled, Poll::Ready(None));
        if let Poll::Ready(Some(Err(error))) = polled {
            // The client's side throws away what it has not written when it hears of this; it writes when it has to wait.
            this.broken = Some(error);
            context.waker().wake_by_ref();
            return Poll::Pending;
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

impl Drop for AnswerBody {
    fn drop(&mut self) {
        // An answer that was given up takes its connection with it: the provider need not write on.
        if let Some(connection) = self.connection.take()
            && (self.ended || self.incoming.is_end_stream())
        {
            self.pool.put(connection);
        }
    }
}
