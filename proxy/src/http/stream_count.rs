//! Counts the responses that have not ended, so that a stop can say how many it waits for.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A response's body that is counted until it is dropped.
pub(super) struct CountedBody {
    body: Body,
    _stream: TaskTrackerToken,
}

impl CountedBody {
    pub(super) fn new(body: Body, stream: TaskTrackerToken) -> Self {
        Self {
            body,
            _stream: stream,
        }
    }
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
