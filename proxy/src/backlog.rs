//! The jobs of cold starts that are still to be made: bounded, because they are made one after the other, in the time that
//! requests leave over.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// KiB of bodies whose jobs may wait to be made.
const BACKLOG_KIB: u32 = 32 << 10;
/// KiB that a job counts at least: it holds on to more than a small body.
const LEAST_KIB: u32 = 64;

/// Room for the jobs that are to be made.
#[derive(Debug, Clone)]
pub(crate) struct Backlog(Arc<Semaphore>);

impl Backlog {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(BACKLOG_KIB as usize)))
    }

    /// Room for the job of a body of so many bytes, if there is any.
    pub(crate) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1024)).ok()?;
        let kib = kib.clamp(LEAST_KIB, BACKLOG_KIB);
        self.0.clone().try_acquire_many_owned(kib).ok()
    }
}
