//! What a request carries to a provider.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::splice::Rope;

/// What a request carries.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// All of it is here, and can be sent again.
    Whole(Rope),
    /// It is still coming.
    Streamed(Body),
}

impl RequestBody {
    /// The same once more, if that can be had.
    pub(super) fn again(&self) -> Option<Self> {
        match self {
            Self::Whole(rope) => Some(Self::Whole(rope.clone())),
            Self::Streamed(_) => None,
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Self::Whole(rope) => Poll::Ready(rope.next().map(|slice| Ok(Frame::data(slice)))),
            Self::Streamed(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(rope) => rope.is_empty(),
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
