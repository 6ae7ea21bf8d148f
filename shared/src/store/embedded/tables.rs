//! The file's tables, and the keys in them.

use redb::TableDefinition;

use crate::store::{Key, Life, provisional_life_ms};

/// An entry's key in the file: its kind, then its id.
pub(super) type FileKey = [u8; 17];

/// Entries' values.
pub(super) const VALUES: TableDefinition<'_, &FileKey, &[u8]> = TableDefinition::new("values");

/// When entries were last used: milliseconds since 1970. Apart from the values, so that a touch does not write a value
/// again and a sweep does not read any.
pub(super) const USED: TableDefinition<'_, &FileKey, u64> = TableDefinition::new("used");

/// The version of the file's format, the deployment's secret, and the name of the write-ahead log.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// Where [`META`] has the name of the write-ahead log.
pub(super) const LOG: &str = "log";

/// Pages that a transaction takes to see that they are there, and gives back. It is never in the file.
pub(super) const RESERVE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("reserve");

/// By when an entry was last used it is told how long it lives yet: milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastUse {
    /// Last used then or before: expired.
    pub(super) expired: u64,
    /// Last used then: as much is left of its life as a provisional one has.
    pub(super) provisional: u64,
}

impl LastUse {
    pub(super) fn at(now_ms: u64, retention_ms: u64) -> Self {
        let expired = now_ms.saturating_sub(retention_ms);
        Self {
            expired,
            provisional: expired + provisional_life_ms(retention_ms),
        }
    }

    /// The life of an entry that was last used at this time; `None` if it has expired.
    pub(super) fn life(self, used: u64) -> Option<Life> {
        if used <= self.expired {
            None
        } else if used <= self.provisional {
            Some(Life::Provisional)
        } else {
            Some(Life::Full)
        }
    }
}

/// The key in the file of an entry.
pub(super) fn file_key(key: Key) -> FileKey {
    let (kind, id): (u8, &[u8]) = match &key {
        Key::Sent(prefix) => (b's', prefix.as_bytes()),
        Key::Opened(prefix) => (b'o', prefix.as_bytes()),
        Key::Compressed(prefix) => (b'c', prefix.as_bytes()),
        Key::Form(form) => (b'f', form.as_bytes()),
        Key::SentForm(block) => (b'b', block.as_bytes()),
        Key::Original(original) => (b'i', original.as_bytes()),
        Key::Totals => (b't', &[]),
    };
    // A shorter id is filled up with the kind.
    let mut bytes = [kind; 17];
    bytes[1..=id.len()].copy_from_slice(id);
    bytes
}

/// The revision in a stored record; 0 for a value that is no record.
pub(super) fn stored_revision(value: &[u8]) -> f64 {
    let record: serde_json::Value = serde_json::from_slice(value).unwrap_or_default();
    record
        .get("rev")
        .and_then(serde_json::Value::as_f64)
        .unwrap_or(0.0)
}
