//! The open file, with what is known of it in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::Database;

use super::bounded_file::FileLength;
use super::key_filter::KeyFilter;
use super::write_ahead_log::WriteAheadLog;

/// The open file.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) database: Database,
    pub(super) filter: KeyFilter,
    pub(super) length: FileLength,
    pub(super) log: Mutex<WriteAheadLog>,
}

impl Open {
    /// The write-ahead log, which the writer's thread alone uses.
    pub(super) fn log(&self) -> MutexGuard<'_, WriteAheadLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
