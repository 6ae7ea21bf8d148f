//! A client's message as far as it has come: its text, and the frames in which it came, so that it can go on as it came.

use std::io;

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use super::frames::{Part, Piece};
use crate::http::body::capacity_for;
use crate::memory::{BodyMemory, MemoryBudget, OverBudget};
use crate::plan::splice::Rope;

/// The most frames of one message that are gathered.
const MAX_FRAMES: usize = 16 << 10;
/// Bytes that are masked and written at once.
const WRITE_BYTES: usize = 64 << 10;

/// A message, or its beginning.
#[derive(Debug)]
pub(super) struct Gathered<T> {
    frames: Vec<Frame>,
    /// The payloads of its frames, without their masks.
    pub(super) text: T,
}

/// A frame of a message.
#[derive(Debug)]
struct Frame {
    /// The head as it came.
    head: SmallVec<[u8; 14]>,
    mask: [u8; 4],
    /// Bytes of its payload.
    length: usize,
}

/// A message that is being gathered, with its memory.
#[derive(Debug)]
pub(super) struct Gathering {
    pub(super) begun: Gathered<Vec<u8>>,
    memory: BodyMemory,
    limit: usize,
}

impl Gathering {
    /// Begins a message of at most `limit` bytes.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(super) fn new(limit: usize, budget: &MemoryBudget) -> Result<Self, OverBudget> {
        Ok(Self {
            begun: Gathered {
                frames: Vec::new(),
                text: Vec::new(),
            },
            memory: budget.body()?,
            limit,
        })
    }

    /// Takes the next piece of the message in.
    ///
    /// # Errors
    /// When it is too large, or there is no memory for it. Nothing of the piece is taken then.
    pub(super) fn push(&mut self, piece: &Piece, part: &Part) -> Result<(), NotGathered> {
        let Gathered { frames, text } = &mut self.begun;
        let payload = &piece.bytes[part.head..];
        let mask = part.header.mask.ok_or(NotGathered::Unreadable)?;
        let length = text.len() + payload.len();
        let announced =
            usize::try_from(part.left).map_or(usize::MAX, |it| length.saturating_add(it));
        if announced > self.limit || frames.len() >= MAX_FRAMES {
            return Err(NotGathered::TooLarge);
        }
        if length > text.capacity() {
            let capacity = capacity_for(length, text.len(), announced);
            let more = capacity - text.capacity();
            self.memory
                .grow(more)
                .map_err(|_| NotGathered::OverBudget)?;
            text.reserve_exact(capacity - text.len());
        }
        if part.head > 0 {
            frames.push(Frame {
                head: SmallVec::from_slice(&piece.bytes[..part.head]),
                mask,
                length: 0,
            });
        }
        let frame = frames.last_mut().ok_or(NotGathered::Unreadable)?;
        let at = text.len();
        text.extend_from_slice(payload);
        apply_mask(&mut text[at..], mask, frame.length);
        frame.length += payload.len();
        Ok(())
    }

    /// The message, all of which has come.
    pub(super) fn whole(self) -> Gathered<Bytes> {
        let Gathered { frames, text } = self.begun;
        Gathered {
            frames,
            text: self.memory.held_by(text),
        }
    }
}

/// Why a message is not gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotGathered {
    /// It is larger than a request may be.
    TooLarge,
    /// There is no memory for it.
    OverBudget,
    /// Its frames are not those of a client.
    Unreadable,
}

impl<T: AsRef<[u8]>> Gathered<T> {
    /// Writes the frames as they came.
    pub(super) async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let mut text = self.text.as_ref();
        for frame in &self.frames {
            let (payload, rest) = text.split_at(frame.length);
            text = rest;
            write_masked(to, &frame.head, [payload], frame.mask).await?;
        }
        Ok(())
    }

    /// Writes `text` in place of the message's: in one frame, with the mask of its first.
    pub(super) async fn write_instead(
        &self,
        text: &Rope,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let mask = self.frames.first().map(|frame| frame.mask);
        let header = FrameHeader {
            is_final: true,
            opcode: OpCode::Data(Data::Text),
            mask,
            ..FrameHeader::default()
        };
        let mut head = Vec::new();
        let formatted = header.format(text.len() as u64, &mut head);
        formatted.map_err(io::Error::other)?;
        let slices = text.slices().map(AsRef::as_ref);
        write_masked(to, &head, slices, mask.unwrap_or_default()).await
    }
}

/// Writes a frame whose payload are these slices.
async fn write_masked(
    to: &mut (impl AsyncWrite + Unpin),
    head: &[u8],
    payload: impl IntoIterator<Item = &[u8]>,
    mask: [u8; 4],
) -> io::Result<()> {
    let mut buffer = head.to_vec();
    let mut masked = 0;
    for slice in payload {
        let mut slice = slice;
        while !slice.is_empty() {
            let (now, later) = slice.split_at(slice.len().min(WRITE_BYTES - buffer.len()));
            slice = later;
            let at = buffer.len();
            buffer.extend_from_slice(now);
            apply_mask(&mut buffer[at..], mask, masked);
            masked += now.len();
            if buffer.len() == WRITE_BYTES {
                to.write_all(&buffer).await?;
                buffer.clear();
            }
        }
    }
    to.write_all(&buffer).await
}

/// Masks the bytes of a payload that stand at `offset`, or takes their mask off (RFC 6455, section 5.3).
fn apply_mask(bytes: &mut [u8], mut mask: [u8; 4], offset: usize) {
    mask.rotate_left(offset % 4);
    for four in bytes.chunks_mut(4) {
        for (byte, key) in four.iter_mut().zip(mask) {
            *byte ^= key;
        }
    }
}
