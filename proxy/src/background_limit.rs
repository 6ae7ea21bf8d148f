//! Limits work on bodies in the background: one at a time, and so many bytes of bodies that wait for it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// KiB of bodies that may wait. They are worked on one after the other, in the time that requests leave over.
const WAITING_KIB: u32 = 32 << 10;
/// KiB that a body counts at least: a small one keeps more in memory than its own bytes.
const MIN_KIB: u32 = 64;

#[derive(Debug)]
pub(crate) struct BackgroundLimit {
    waiting: Arc<Semaphore>,
    running: Semaphore,
}

impl BackgroundLimit {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Arc::new(Semaphore::new(WAITING_KIB as usize)),
            running: Semaphore::new(1),
        }
    }

    /// Reserves memory for a body of so many bytes, if there is any left.
    pub(crate) fn reserve(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1024)).ok()?;
        let kib = kib.clamp(MIN_KIB, WAITING_KIB);
        self.waiting.clone().try_acquire_many_owned(kib).ok()
    }

    /// Does work when no other is being done; `None` where that fails.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> Option<T> {
        let _running = self.running.acquire().await.ok()?;
        tokio::task::spawn_blocking(work).await.ok()?
    }
}
