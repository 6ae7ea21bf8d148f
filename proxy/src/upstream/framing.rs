//! Where an answer's body ends (RFC 9112, section 6.3).

use bytes::{Bytes, BytesMut};

use super::failure::Failure;
use crate::http1::Dechunk;

/// What is left of an answer's body, and how its end is known.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes.
    Length(u64),
    /// What is in these chunks.
    Chunks(Dechunk),
    /// All that comes until the connection is closed.
    UntilClosed,
}

impl Framing {
    /// Takes the body's data off the front of what was read. What follows the body is left there.
    ///
    /// # Errors
    /// When what was read is no body.
    pub(super) fn take(&mut self, read: &mut BytesMut) -> Result<Bytes, Failure> {
        match self {
            Self::Length(left) => {
                let length = usize::try_from(*left).map_or(read.len(), |left| left.min(read.len()));
                *left -= length as u64;
                if length == read.len() {
                    return Ok(std::mem::take(read).freeze());
                }
                Ok(read.split_to(length).freeze())
            }
            Self::Chunks(dechunk) => {
                let data = dechunk.take(read);
                match dechunk.end() {
                    // What came before the fault goes on first.
                    Some(Err(bad)) if data.is_empty() => Err(Failure::Chunk(bad)),
                    _ => Ok(data),
                }
            }
            Self::UntilClosed => Ok(std::mem::take(read).freeze()),
        }
    }

    /// Whether nothing of the body is left.
    pub(super) fn is_ended(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunks(dechunk) => dechunk.end() == Some(Ok(())),
            Self::UntilClosed => false,
        }
    }

    /// Ends the body where the connection does.
    ///
    /// # Errors
    /// When more was to come.
    pub(super) fn close(&mut self) -> Result<(), Failure> {
        match self {
            Self::UntilClosed => {
                *self = Self::Length(0);
                Ok(())
            }
            Self::Length(_) | Self::Chunks(_) => Err(Failure::CutOff),
        }
    }

    /// How many bytes are left, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunks(_) | Self::UntilClosed => self.is_ended().then_some(0),
        }
    }
}
