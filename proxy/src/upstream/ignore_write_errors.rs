//! A stream that ignores failed writes, so that what the other end has sent can still be read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};

/// A provider may respond, as with 413, and close its connection while the request is still being written. That the rest can't be written is
/// no failure then: it is thrown away, and the response is read. Where there was none, the end of the stream is read.
#[derive(Debug)]
pub(super) struct IgnoreWriteErrors<S> {
    stream: S,
    failed: WritesFailed,
}

/// Whether a write failed: nothing more can be sent then, whatever is still read.
#[derive(Debug, Clone, Default)]
pub(super) struct WritesFailed(Arc<AtomicBool>);

impl WritesFailed {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S> IgnoreWriteErrors<S> {
    pub(super) fn new(stream: S, failed: WritesFailed) -> Self {
        Self { stream, failed }
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// Notes a failed write, and gives `as_if_written` in its place.
    fn ignore_error<T>(&self, written: io::Result<T>, as_if_written: T) -> io::Result<T> {
        Ok(written.unwrap_or_else(|error| {
            tracing::debug!(%error, "a provider takes no more of a request");
            self.failed.0.store(true, Ordering::Relaxed);
            as_if_written
        }))
    }
}

impl<S: Read + Unpin> Read for IgnoreWriteErrors<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin> Write for IgnoreWriteErrors<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.failed.get() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        Poll::Ready(self.ignore_error(written, bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = slices.iter().map(|slice| slice.len()).sum();
        if self.failed.get() {
            return Poll::Ready(Ok(all));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices));
        Poll::Ready(self.ignore_error(written, all))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.failed.get() {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(context));
        Poll::Ready(self.ignore_error(flushed, ()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
