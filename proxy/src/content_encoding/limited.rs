//! A buffer that grows as far as a limit and the memory for bodies allow.

use std::io::{self, Write};

use bytes::Bytes;

use crate::memory::{BodyMemory, MemoryBudget, OverBudget};

/// Memory is taken for so many bytes at once.
const GROWTH: usize = 256 << 10;

/// A buffer that takes no more than `limit` bytes, and no more than there is memory for.
pub(super) struct Limited {
    bytes: Vec<u8>,
    limit: usize,
    memory: BodyMemory,
    /// Bytes that memory was taken for.
    reserved: usize,
    /// Whether it did not take something.
    has_refused: bool,
}

impl Limited {
    /// An empty buffer.
    ///
    /// # Errors
    /// When there is no memory.
    pub(super) fn new(limit: usize, budget: &MemoryBudget) -> Result<Self, OverBudget> {
        Ok(Self {
            bytes: Vec::new(),
            limit,
            memory: budget.body()?,
            reserved: 0,
            has_refused: false,
        })
    }

    /// All that was written, which holds its memory of the budget; `None` where it did not take all.
    pub(super) fn into_bytes(self) -> Option<Bytes> {
        (!self.has_refused).then(|| self.memory.held_by(self.bytes))
    }

    fn make_room(&mut self, length: usize) -> io::Result<()> {
        if length > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if length > self.reserved {
            let more = (length - self.reserved).max(GROWTH);
            self.memory
                .grow(more)
                .map_err(|_| io::ErrorKind::OutOfMemory)?;
            self.reserved += more;
        }
        Ok(())
    }
}

impl Write for Limited {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.make_room(self.bytes.len() + data.len()) {
            self.has_refused = true;
            return Err(error);
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
