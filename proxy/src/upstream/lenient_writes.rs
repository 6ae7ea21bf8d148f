//! A stream whose failed writes do not hide what can still be read of it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};

/// A provider may respond, as with 413, and close its connection while the request is still being written. That the rest of it can't be
/// written is no failure then: it is thrown away, and what the provider said before is read. Where it said nothing, its end is read.
#[derive(Debug)]
pub(super) struct LenientWrites<S> {
    stream: S,
    /// Whether a write failed.
    failed: bool,
}

impl<S> LenientWrites<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self {
            stream,
            failed: false,
        }
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// Takes `written` for done where it failed.
    fn forgive<T>(&mut self, written: io::Result<T>, instead: T) -> io::Result<T> {
        Ok(written.unwrap_or_else(|error| {
            tracing::debug!(%error, "a provider takes no more of a request");
            self.failed = true;
            instead
        }))
    }
}

impl<S: Read + Unpin> Read for LenientWrites<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin> Write for LenientWrites<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.failed {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        Poll::Ready(self.forgive(written, bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = slices.iter().map(|slice| slice.len()).sum();
        if self.failed {
            return Poll::Ready(Ok(all));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices));
        Poll::Ready(self.forgive(written, all))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.failed {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(context));
        Poll::Ready(self.forgive(flushed, ()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
