//! Reads bytes as frames while they come: in pieces, so that a frame of any length passes through a small buffer.

use std::io::{self, Cursor};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// Bytes that are read at once.
const READ_BYTES: usize = 16 << 10;

/// The next bytes of a connection, as they came.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    /// What they are of a frame; `None` where they are not of one that can be read.
    pub(super) part: Option<Part>,
}

/// What a piece is of its frame.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) header: FrameHeader,
    /// How many of the bytes are the frame's head; 0 where it has come before.
    pub(super) head: usize,
    /// How many bytes of the payload are still to come.
    pub(super) left: u64,
}

impl Part {
    /// Whether the frame is of a message with data, and which; `None` for one that controls the connection.
    pub(super) fn data(&self) -> Option<Data> {
        match self.header.opcode {
            OpCode::Data(data) => Some(data),
            OpCode::Control(_) => None,
        }
    }

    /// Whether the piece ends a message.
    pub(super) fn ends_message(&self) -> bool {
        self.header.is_final && self.left == 0
    }

    /// Whether the payload is the message's own bytes, which an extension could have changed.
    pub(super) fn is_plain(&self) -> bool {
        !(self.header.rsv1 || self.header.rsv2 || self.header.rsv3)
    }
}

/// The frames of one direction of a connection.
#[derive(Debug)]
pub(super) struct Frames<R> {
    reader: R,
    buffer: BytesMut,
    /// The frame of which a part has come, and how many bytes of its payload are still to come.
    begun: Option<(FrameHeader, u64)>,
    unreadable: bool,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: BytesMut::new(),
            begun: None,
            unreadable: false,
        }
    }

    /// The next piece; `None` at the end. May be given up and called again.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(super) async fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.take() {
                return Ok(Some(piece));
            }
            self.buffer.reserve(READ_BYTES);
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                let rest = self.unread();
                return Ok((!rest.bytes.is_empty()).then_some(rest));
            }
        }
    }

    /// A piece of what was read; `None` where that is not enough for one.
    fn take(&mut self) -> Option<Piece> {
        if self.buffer.is_empty() {
            return None;
        }
        if self.unreadable {
            return Some(self.unread());
        }
        let (header, length, head) = match self.begun.take() {
            Some((header, left)) => (header, left, 0),
            None => {
                let mut cursor = Cursor::new(&self.buffer);
                match FrameHeader::parse(&mut cursor) {
                    Ok(parsed) => {
                        let head = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
                        let (header, length) = parsed?;
                        (header, length, head)
                    }
                    Err(_) => {
                        self.unreadable = true;
                        return Some(self.unread());
                    }
                }
            }
        };
        let come = self.buffer.len() - head;
        let payload = usize::try_from(length).map_or(come, |length| length.min(come));
        let left = length - payload as u64;
        if left > 0 {
            self.begun = Some((header.clone(), left));
        }
        Some(Piece {
            bytes: self.buffer.split_to(head + payload).freeze(),
            part: Some(Part { header, head, left }),
        })
    }

    fn unread(&mut self) -> Piece {
        Piece {
            bytes: self.buffer.split().freeze(),
            part: None,
        }
    }
}
