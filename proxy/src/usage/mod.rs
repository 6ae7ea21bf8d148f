//! The provider's answer on its way to the client: passed on frame by frame as it comes, and listened to for its `usage`.

mod decode;
mod listen;

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use headroom_shared::contract::record::CacheUsage;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use self::decode::Decoder;
use self::listen::Listener;
use crate::dialect::Dialect;
use crate::upstream::ResponseBody;

/// A body that is passed on untouched while a copy of it is read.
pub(crate) struct UsageTap {
    body: ResponseBody,
    tap: Option<Decoder<Listener>>,
    done: Option<Done>,
}

/// Told once, when the answer has ended or was given up, what it said of the provider's cache.
pub(crate) type Done = Box<dyn FnOnce(Option<CacheUsage>) + Send>;

impl UsageTap {
    /// Listens to an answer with these headers; where it can't be read, it is passed on all the same.
    pub(crate) fn new(
        body: ResponseBody,
        headers: &HeaderMap,
        dialect: &'static dyn Dialect,
        done: Done,
    ) -> Self {
        let tap =
            Listener::new(headers, dialect).and_then(|listener| Decoder::new(headers, listener));
        Self {
            body,
            tap,
            done: Some(done),
        }
    }
}

impl Body for UsageTap {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
            && let Some(tap) = &mut self.tap
            && tap.hear(data).is_err()
        {
            // What can't be decoded can't be read; the client may still know what to do with it.
            self.tap = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for UsageTap {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done(
                self.tap
                    .take()
                    .and_then(Decoder::finish)
                    .and_then(Listener::usage),
            );
        }
    }
}
