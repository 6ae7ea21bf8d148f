//! How much memory the bodies of all requests may take at the same time.
//!
//! A body is weighed with what is made of it: its scan and its forms, which together take no more than the body itself and
//! [`scan::BASE_MEMORY`]. Its share is given back when the last one who holds the body lets it go, wherever that is.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::scan;

/// What is counted at once, in bytes.
const UNIT: usize = 1 << 10;
/// What a request takes that is streamed through: the buffers of its two connections.
const STREAM_BYTES: usize = 256 << 10;
/// A body of at most so many bytes is small: where large ones have used up their share, it still gets memory.
const SMALL_BODY: usize = 64 << 10;
/// The part of the budget that is kept for small bodies, and for requests that are streamed through.
const KEPT_SHARE: usize = 8;

/// The memory of one process.
#[derive(Debug, Clone)]
pub(crate) struct MemoryBudget {
    bodies: Arc<Semaphore>,
    small_bodies: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

/// There is no memory left for a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverBudget;

/// The memory that one body takes, as far as it has come.
#[derive(Debug)]
pub(crate) struct BodyMemory {
    budget: Arc<Semaphore>,
    taken: OwnedSemaphorePermit,
    /// How large the body may become.
    bytes_left: usize,
}

impl MemoryBudget {
    /// So many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let units = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        let kept = units / KEPT_SHARE;
        Self {
            bodies: Arc::new(Semaphore::new(units - 2 * kept)),
            small_bodies: Arc::new(Semaphore::new(kept)),
            streams: Arc::new(Semaphore::new(kept)),
        }
    }

    /// Memory for a body of which nothing has come yet, and for what is made of it.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn body(&self) -> Result<BodyMemory, OverBudget> {
        let of = |budget: &Arc<Semaphore>, bytes_left| {
            Ok(BodyMemory {
                budget: budget.clone(),
                taken: take(budget, scan::BASE_MEMORY)?,
                bytes_left,
            })
        };
        of(&self.bodies, usize::MAX).or_else(|OverBudget| of(&self.small_bodies, SMALL_BODY))
    }

    /// Memory for a request that is streamed through, for as long as the permit is held.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit, OverBudget> {
        take(&self.streams, STREAM_BYTES)
    }
}

impl BodyMemory {
    /// Takes memory for so many bytes more of the body.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), OverBudget> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(OverBudget)?;
        // As many again for what is made of them.
        self.taken.merge(take(&self.budget, 2 * bytes)?);
        Ok(())
    }

    /// The body, which holds this memory from now on.
    pub(crate) fn held_by(self, body: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        Bytes::from_owner(Held {
            body,
            _taken: self.taken,
        })
    }
}

struct Held<B> {
    body: B,
    _taken: OwnedSemaphorePermit,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Held<B> {
    fn as_ref(&self) -> &[u8] {
        self.body.as_ref()
    }
}

fn take(budget: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, OverBudget> {
    let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| OverBudget)?;
    let taken = budget.clone().try_acquire_many_owned(units);
    taken.map_err(|_| OverBudget)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_with_the_last_holder_of_a_body() {
        let budget = MemoryBudget::new(4 << 20);
        let mut memory = budget.body().unwrap();
        memory.grow(1 << 20).unwrap();
        assert_eq!(memory.grow(1 << 20), Err(OverBudget));
        let body = memory.held_by(vec![b'x'; 1 << 20]);
        let slice = body.slice(..10);
        drop(body);
        assert_eq!(budget.body().unwrap().grow(1 << 20), Err(OverBudget));
        drop(slice);
        budget.body().unwrap().grow(1 << 20).unwrap();
    }

    #[test]
    fn small_bodies_get_memory_where_large_ones_have_used_up_theirs() {
        let budget = MemoryBudget::new(8 << 20);
        let mut large = budget.body().unwrap();
        while large.grow(64 << 10).is_ok() {}
        let mut large = Vec::new();
        while let Ok(memory) = budget.body()
            && memory.bytes_left == usize::MAX
        {
            large.push(memory);
        }
        let mut small = budget.body().unwrap();
        small.grow(SMALL_BODY).unwrap();
        assert_eq!(small.grow(1), Err(OverBudget));
    }

    #[test]
    fn a_budget_has_room_for_few_streams() {
        let budget = MemoryBudget::new(4 << 20);
        let streams = [budget.stream().unwrap(), budget.stream().unwrap()];
        assert!(budget.stream().is_err());
        drop(streams);
        assert!(budget.stream().is_ok());
    }
}
