//! The jobs of cold starts that are still to be made: bounded, and one after the other.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// KiB of bodies whose jobs may wait to be made. They are made one after the other, in the time that requests leave over.
const BACKLOG_KIB: u32 = 32 << 10;
/// KiB that a job counts at least: it holds on to more than a small body.
const LEAST_KIB: u32 = 64;

/// The jobs that are to be made.
#[derive(Debug, Clone)]
pub(crate) struct Backlog {
    room: Arc<Semaphore>,
    maker: Arc<Semaphore>,
}

impl Backlog {
    pub(crate) fn new() -> Self {
        Self {
            room: Arc::new(Semaphore::new(BACKLOG_KIB as usize)),
            maker: Arc::new(Semaphore::new(1)),
        }
    }

    /// Room for the job of a body of so many bytes, if there is any.
    pub(crate) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1024)).ok()?;
        let kib = kib.clamp(LEAST_KIB, BACKLOG_KIB);
        self.room.clone().try_acquire_many_owned(kib).ok()
    }

    /// Makes a job when its turn has come; `None` where that fails.
    pub(crate) async fn make<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> Option<T> {
        let _turn = self.maker.acquire().await.ok()?;
        tokio::task::spawn_blocking(job).await.ok()?
    }
}
