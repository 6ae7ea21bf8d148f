//! The file as redb sees it: it never becomes larger than its bound.

use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::room;

/// A file that never becomes larger than its bound.
///
/// An error would end the database. So where it wants to grow further, it is told that it has grown, and nothing is written until the
/// transaction is aborted, which gives the growth back. A commit instead fails, as on a full disk.
#[derive(Debug)]
pub(super) struct BoundedFile {
    file: FileBackend,
    length: FileLength,
}

/// How long the file is, and whether it was to become longer than it may.
#[derive(Debug, Clone)]
pub(super) struct FileLength(Arc<Length>);

#[derive(Debug)]
struct Length {
    bytes: AtomicU64,
    refused: AtomicBool,
    is_lifted: AtomicBool,
    max_bytes: u64,
}

impl BoundedFile {
    /// The file, of at most so many bytes. One that is larger already may not grow.
    pub(super) fn new(file: FileBackend, max_bytes: u64) -> io::Result<Self> {
        let length = Length {
            bytes: AtomicU64::new(file.len()?),
            refused: AtomicBool::new(false),
            is_lifted: AtomicBool::new(false),
            max_bytes,
        };
        Ok(Self {
            file,
            length: FileLength(Arc::new(length)),
        })
    }

    pub(super) fn length(&self) -> FileLength {
        self.length.clone()
    }
}

impl FileLength {
    /// Its length in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Its largest length in bytes.
    pub(super) fn max_bytes(&self) -> u64 {
        self.0.max_bytes
    }

    /// Whether the database may let it grow.
    pub(super) fn may_double(&self) -> bool {
        room::may_double(self.bytes(), self.0.max_bytes)
    }

    /// Whether it is shorter than it may be, and yet too long to be doubled.
    pub(super) fn may_be_lengthened(&self) -> bool {
        !self.may_double() && self.bytes() < room::full_length(self.0.max_bytes)
    }

    /// Lifts the bound, or puts it back. A compaction, and a close, leave no page free at times, write one more, and cut off again what
    /// the file has grown by then. Nothing is written there, so that it takes no room on the disk.
    pub(super) fn lift_bound(&self, is_lifted: bool) {
        self.0.is_lifted.store(is_lifted, Ordering::Relaxed);
    }

    /// Whether the transaction under way wanted more than there may be: it is to be aborted.
    pub(super) fn is_refused(&self) -> bool {
        self.0.refused.load(Ordering::Relaxed)
    }
}

impl StorageBackend for BoundedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.length.bytes())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let is_lifted = self.length.0.is_lifted.load(Ordering::Relaxed);
        let refused = !is_lifted && len > self.length.max_bytes() && len > self.file.len()?;
        if !refused {
            self.file.set_len(len)?;
        }
        self.length.0.bytes.store(len, Ordering::Relaxed);
        self.length.0.refused.store(refused, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.length.is_refused() {
            // Nothing has changed since.
            return Ok(());
        }
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.length.is_refused() {
            let max_bytes = self.length.max_bytes();
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!("it may not become larger than {max_bytes} bytes"),
            ));
        }
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
