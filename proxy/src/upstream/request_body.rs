//! The body of a request to a provider.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Buf as _;
use http_body::{Frame, SizeHint};

use crate::plan::splice::Rope;

/// The body of a request.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// All of it is in memory. It goes out as one frame, so that one system call writes many of its slices: of frames, hyper takes sixteen
    /// at once.
    Whole(Rope),
    /// It is still being received.
    Streamed(Body),
}

impl http_body::Body for RequestBody {
    type Data = Rope;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Rope>, axum::Error>>> {
        let body = match self.get_mut() {
            Self::Whole(rope) => {
                let whole = std::mem::take(rope);
                return Poll::Ready(whole.has_remaining().then(|| Ok(Frame::data(whole))));
            }
            Self::Streamed(body) => body,
        };
        loop {
            let frame = match ready!(Pin::new(&mut *body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
            // Trailers are not passed on.
            if let Ok(data) = frame.into_data() {
                return Poll::Ready(Some(Ok(Frame::data(Rope::from(data)))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(rope) => !rope.has_remaining(),
            Self::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(rope) => SizeHint::with_exact(rope.len() as u64),
            Self::Streamed(body) => body.size_hint(),
        }
    }
}
