//! What is still to be written to a connection.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::AsyncWrite;

/// How many pieces one system call takes. A spliced body has two for each form.
const PIECES: usize = 64;

/// Pieces that go out in their order, many at a time, and are not copied.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Bytes>,
}

impl Outbox {
    /// Adds a piece.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
    }

    /// Whether all is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Writes until all is written and flushed.
    pub(crate) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(first) = self.pieces.front() {
            let stream = Pin::new(&mut *stream);
            let written = if self.pieces.len() > 1 && stream.is_write_vectored() {
                let mut slices = [IoSlice::new(&[]); PIECES];
                let mut count = 0;
                for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                    *slice = IoSlice::new(piece);
                    count += 1;
                }
                ready!(stream.poll_write_vectored(context, &slices[..count]))?
            } else {
                ready!(stream.poll_write(context, first))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        Pin::new(stream).poll_flush(context)
    }

    /// Drops what has been written.
    fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.pieces.front_mut() {
            if written < first.len() {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn all_pieces_arrive_in_order_through_a_narrow_pipe() {
        let (mut near, mut far) = tokio::io::duplex(7);
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        for number in 0..200_u8 {
            let piece = vec![number; usize::from(number) % 23];
            expected.extend_from_slice(&piece);
            outbox.push(piece.into());
        }
        let writing = async move {
            poll_fn(|context| outbox.poll_write(&mut near, context))
                .await
                .unwrap();
            assert!(outbox.is_empty());
        };
        let mut arrived = Vec::new();
        let (_, read) = tokio::join!(writing, far.read_to_end(&mut arrived));
        read.unwrap();
        assert_eq!(arrived, expected);
    }
}
