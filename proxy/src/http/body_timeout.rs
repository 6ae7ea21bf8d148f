//! Ends a request's body that makes no progress.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// Nothing of the body came for the time that is allowed.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("nothing of the body came for too long")]
pub(crate) struct Stalled;

/// A body that ends with [`Stalled`] when nothing of it comes for `limit` while somebody waits for it. Its length is that of the body
/// within, for that decides how it goes to the provider.
#[derive(Debug)]
struct TimedBody {
    body: Body,
    limit: Duration,
    /// Since when somebody waits for the next part.
    waiting: Option<Instant>,
    /// Rings `limit` after the beginning of this or an earlier wait: it is set anew only when it has rung, not for each part.
    timer: Option<Pin<Box<Sleep>>>,
}

/// Ends `body` with [`Stalled`] when nothing of it comes for `limit`.
pub(super) fn timed(body: Body, limit: Duration) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(TimedBody {
        body,
        limit,
        waiting: None,
        timer: None,
    })
}

impl TimedBody {
    /// Ready when the wait has lasted too long.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = *self.waiting.get_or_insert_with(Instant::now) + self.limit;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl http_body::Body for TimedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.waiting = None;
            return Poll::Ready(frame);
        }
        let stalled = this.poll_timer(context);
        stalled.map(|()| Some(Err(axum::Error::new(Stalled))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
