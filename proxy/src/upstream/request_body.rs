//! What a request carries to a provider.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::Body as _;

use super::failure::Failure;
use crate::http1::{LAST_CHUNK, Outbox, chunk};
use crate::plan::splice::Rope;

/// What a request carries.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// All of it is here, and can be sent again.
    Whole(Rope),
    /// It is still coming.
    Streamed(Body),
}

impl RequestBody {
    /// Its length in bytes, where that is known.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Whole(rope) => Some(rope.len() as u64),
            Self::Streamed(body) => body.size_hint().exact(),
        }
    }
}

/// A request whose body is still coming: what is left of it.
pub(super) struct Coming {
    /// Goes out together with what is there of the body.
    head: Option<Bytes>,
    body: Body,
    /// How many bytes are left, or else it goes in chunks.
    left: Option<u64>,
}

impl Coming {
    /// `length` is what the head says, which goes in chunks if it says none.
    pub(super) const fn new(head: Bytes, body: Body, length: Option<u64>) -> Self {
        Self {
            head: Some(head),
            body,
            left: length,
        }
    }

    /// Puts what comes next into `outbox`; gives whether there is more to come.
    ///
    /// # Errors
    /// When the body breaks off, or is not as long as the head says.
    pub(super) fn poll_next(
        &mut self,
        outbox: &mut Outbox,
        context: &mut Context<'_>,
    ) -> Poll<Result<bool, Failure>> {
        outbox.push(self.head.take().unwrap_or_default());
        if self.left == Some(0) {
            return Poll::Ready(Ok(false));
        }
        let data = loop {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => break data,
                    _ => {} // Trailers stay behind.
                },
                Some(Err(error)) => return Poll::Ready(Err(Failure::Request(error))),
                None => return Poll::Ready(self.end(outbox)),
            }
        };
        match &mut self.left {
            None => chunk(outbox, data),
            Some(left) => {
                let less = left.checked_sub(data.len() as u64);
                *left = less.ok_or(Failure::RequestLength)?;
                outbox.push(data);
            }
        }
        if self.left == Some(0) || self.body.is_end_stream() {
            return Poll::Ready(self.end(outbox));
        }
        Poll::Ready(Ok(true))
    }

    /// Ends the body in `outbox`.
    fn end(&mut self, outbox: &mut Outbox) -> Result<bool, Failure> {
        match self.left {
            None => outbox.push(LAST_CHUNK),
            Some(0) => {}
            Some(_) => return Err(Failure::RequestLength),
        }
        Ok(false)
    }
}
