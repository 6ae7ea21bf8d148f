//! The workers as far as this process knows of them, so that a request that may wait for them, or leave new blocks to them, need not ask.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use headroom_shared::queue::{Capacity, JobQueue};

use crate::metrics::fleet::FleetCounts;

/// How often they are asked after, and how long an answer may take.
const INTERVAL: Duration = Duration::from_secs(1);

/// The workers of the deployment.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    /// What was last read of their capacity; nothing where that failed.
    last: Mutex<Option<Capacity>>,
    /// Bytes of text in the jobs that requests of this process wait for.
    awaited_bytes: AtomicU64,
}

impl Fleet {
    /// Reads their capacity again and again, and shows in `counts` how many threads they have, and whether a model.
    pub(super) async fn watch(&self, queue: &dyn JobQueue, counts: &FleetCounts) {
        loop {
            let read = tokio::time::timeout(INTERVAL, queue.capacity()).await;
            let capacity = read.ok().and_then(Result::ok);
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = capacity;
            let capacity = capacity.unwrap_or_default();
            let threads = i64::try_from(capacity.threads);
            counts.threads.set(threads.unwrap_or(i64::MAX));
            counts.has_model.set(capacity.has_model.into());
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Their capacity: what was read, and what this process has pushed since; `None` where it is not known.
    pub(crate) fn capacity(&self) -> Option<Capacity> {
        let mut capacity = (*self.last.lock().unwrap_or_else(PoisonError::into_inner))?;
        let awaited = self.awaited_bytes.load(Ordering::Relaxed);
        capacity.queued_bytes = capacity.queued_bytes.max(awaited);
        Some(capacity)
    }

    /// Whether one of them has a model.
    pub(crate) fn has_model(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|capacity| capacity.has_model)
    }

    /// Notes that a request waits for a job of so many bytes of text.
    pub(crate) fn begin_wait(&self, bytes: u64) {
        self.awaited_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that it waits for it no longer.
    pub(crate) fn end_wait(&self, bytes: u64) {
        self.awaited_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}
