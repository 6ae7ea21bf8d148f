//! A log beside the database's file of the entries that were written since the last commit that reached the disk.
//!
//! redb keeps a commit either in its own memory or on the disk; the one is lost with the process, the other waits for the disk. What is
//! appended here has gone to the operating system, so that a kill of the process does not lose it, and nobody waits for the disk. A commit to
//! the disk covers all that is in the log, and gives the next log its name in the same transaction: what is in a log of another name is
//! in the database already. When the database is opened, the entries of its own log are written again.
//!
//! A power cut may leave any part of a log. Each record has a checksum over the log's name, the record's place and its text, so that
//! only whole records of this log are taken, from the first one to the first that is missing.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _, Bytes};
use uuid::Uuid;

use super::tables::FileKey;

/// How long the first entry of a log waits for a commit to the disk.
const LONGEST: Duration = Duration::from_secs(1);
/// The largest log in bytes: so much is written again when the database is opened.
const MAX_BYTES: u64 = 8 << 20;
/// What a record has before its text: the text's length and the checksum.
const HEADER: usize = 4 + CHECKSUM;
/// The checksum's length in bytes.
const CHECKSUM: usize = 16;

/// The name of a log, which no other has.
pub(super) type LogName = [u8; 16];

/// An entry as it was written to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) key: FileKey,
    /// When it was last used: milliseconds since 1970.
    pub(super) used: u64,
    pub(super) value: Bytes,
}

/// The log.
#[derive(Debug)]
pub(super) struct WriteAheadLog {
    file: File,
    /// Its name in the database; none where that names no log yet.
    name: Option<LogName>,
    len: u64,
    /// When the first of its entries was appended.
    began: Option<Instant>,
}

impl WriteAheadLog {
    /// The log in this file, of this name.
    pub(super) const fn new(file: File, name: Option<LogName>) -> Self {
        Self {
            file,
            name,
            len: 0,
            began: None,
        }
    }

    /// The entries in the file, if they are this log's, in the order in which they were written.
    pub(super) fn read(&mut self) -> io::Result<Vec<Written>> {
        let Some(name) = self.name else {
            return Ok(Vec::new());
        };
        let mut text = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        (&self.file).take(MAX_BYTES).read_to_end(&mut text)?;
        Ok(entries(name, text.into()))
    }

    /// Whether these entries may be appended.
    pub(super) fn takes(&self, entries: &[Written]) -> bool {
        let bytes = entries.iter().map(|entry| encoded_len(entry) as u64);
        let record = HEADER as u64 + bytes.sum::<u64>();
        self.name.is_some() && self.len + record <= MAX_BYTES
    }

    /// Appends entries. Where that fails, the log has to be started anew before anything else is appended.
    pub(super) fn append(&mut self, entries: &[Written]) -> io::Result<()> {
        let Some(name) = self.name else {
            return Err(io::Error::other("the log has no name yet"));
        };
        let record = record(name, self.len, entries);
        self.began.get_or_insert_with(Instant::now);
        self.file.seek(SeekFrom::Start(self.len))?;
        self.file.write_all(&record)?;
        self.len += record.len() as u64;
        Ok(())
    }

    /// When the entries have to be on the disk; none where there are none.
    pub(super) fn due(&self) -> Option<Instant> {
        self.began.map(|began| began + LONGEST)
    }

    /// The name of the next log, where a commit to the disk has to begin one.
    pub(super) fn next_name(&self) -> Option<LogName> {
        let is_needed = self.name.is_none() || self.began.is_some();
        is_needed.then(new_name)
    }

    /// Begins the log of this name, which is on the disk in the database.
    pub(super) fn restart(&mut self, name: LogName) -> io::Result<()> {
        self.name = Some(name);
        (self.len, self.began) = (0, None);
        self.file.set_len(0)
    }
}

/// A name that no log has had.
pub(super) fn new_name() -> LogName {
    Uuid::new_v4().into_bytes()
}

fn encoded_len(entry: &Written) -> usize {
    size_of::<FileKey>() + size_of::<u64>() + size_of::<u32>() + entry.value.len()
}

/// The record of these entries at this place of a log. Their lengths fit, because a log takes no more.
fn record(name: LogName, at: u64, entries: &[Written]) -> Vec<u8> {
    let len: usize = entries.iter().map(encoded_len).sum();
    let mut record = Vec::with_capacity(HEADER + len);
    record.put_bytes(0, HEADER);
    for Written { key, used, value } in entries {
        record.put_slice(key);
        record.put_u64_le(*used);
        record.put_u32_le(u32::try_from(value.len()).unwrap_or(u32::MAX));
        record.put_slice(value);
    }
    let checksum = checksum(name, at, &record[HEADER..]);
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    record[..4].copy_from_slice(&len.to_le_bytes());
    record[4..HEADER].copy_from_slice(&checksum);
    record
}

fn checksum(name: LogName, at: u64, text: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&name).update(&at.to_le_bytes()).update(text);
    let mut checksum = [0; CHECKSUM];
    hasher.finalize_xof().fill(&mut checksum);
    checksum
}

/// The entries of a log's whole records, from the first on.
fn entries(name: LogName, mut text: Bytes) -> Vec<Written> {
    let mut entries = Vec::new();
    let mut at = 0;
    while let Some(mut record) = next_record(name, at, &mut text) {
        at += (HEADER + record.len()) as u64;
        while let Some(entry) = next_entry(&mut record) {
            entries.push(entry);
        }
    }
    entries
}

/// The text of the record that `text` begins with, if it is whole.
fn next_record(name: LogName, at: u64, text: &mut Bytes) -> Option<Bytes> {
    let len = usize::try_from(text.try_get_u32_le().ok()?).ok()?;
    let mut expected = [0; CHECKSUM];
    text.try_copy_to_slice(&mut expected).ok()?;
    let record = (text.len() >= len).then(|| text.split_to(len))?;
    (checksum(name, at, &record) == expected).then_some(record)
}

fn next_entry(record: &mut Bytes) -> Option<Written> {
    let mut key = [0; size_of::<FileKey>()];
    record.try_copy_to_slice(&mut key).ok()?;
    let used = record.try_get_u64_le().ok()?;
    let len = usize::try_from(record.try_get_u32_le().ok()?).ok()?;
    let value = (record.len() >= len).then(|| record.split_to(len))?;
    Some(Written { key, used, value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: LogName = [7; 16];

    fn written() -> impl Strategy<Value = Vec<Written>> {
        let value = proptest::collection::vec(any::<u8>(), 0..200);
        let entry =
            (any::<FileKey>(), any::<u64>(), value).prop_map(|(key, used, value)| Written {
                key,
                used,
                value: value.into(),
            });
        proptest::collection::vec(entry, 0..4)
    }

    fn log_of(records: &[Vec<Written>]) -> WriteAheadLog {
        let mut log = WriteAheadLog::new(tempfile::tempfile().unwrap(), Some(NAME));
        for entries in records {
            assert!(log.takes(entries));
            log.append(entries).unwrap();
        }
        log
    }

    proptest! {
        #[test]
        fn what_is_left_of_a_log_is_its_first_whole_records(
            records in proptest::collection::vec(written(), 0..6),
            cut in any::<prop::sample::Index>(),
            damage in any::<u8>(),
        ) {
            let mut log = log_of(&records);
            prop_assert_eq!(log.read().unwrap(), records.concat());
            let mut text = Vec::new();
            log.file.seek(SeekFrom::Start(0)).unwrap();
            log.file.read_to_end(&mut text).unwrap();
            if text.is_empty() {
                return Ok(());
            }
            let cut = cut.index(text.len());
            // Where the cut is, in whole records.
            let mut ends = 0;
            let whole = records.iter().take_while(|entries| {
                ends += HEADER + entries.iter().map(encoded_len).sum::<usize>();
                ends <= cut
            });
            let expected: Vec<Written> = whole.flatten().cloned().collect();
            prop_assert_eq!(entries(NAME, text[..cut].to_vec().into()), &expected[..]);
            text[cut] ^= damage.max(1);
            prop_assert_eq!(entries(NAME, text.into()), expected);
        }

        #[test]
        fn any_bytes_can_be_read(text in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(entries(NAME, text.into()), []);
        }
    }

    #[test]
    fn a_log_of_another_name_has_no_entries() {
        let entries = [Written {
            key: [1; 17],
            used: 1,
            value: "a".into(),
        }];
        let mut log = log_of(&[entries.to_vec()]);
        log.name = Some([8; 16]);
        assert_eq!(log.read().unwrap(), []);
        log.name = None;
        assert_eq!(log.read().unwrap(), []);
        assert!(!log.takes(&entries) && log.append(&entries).is_err());
        assert!(log.next_name().is_some());
    }

    #[test]
    fn a_log_is_begun_anew_only_where_it_has_entries() {
        let mut log = log_of(&[]);
        assert!(log.next_name().is_none() && log.due().is_none());
        let entry = Written {
            key: [1; 17],
            used: 1,
            value: vec![0; 1 << 20].into(),
        };
        let mut appended = 0;
        while log.takes(std::slice::from_ref(&entry)) {
            log.append(std::slice::from_ref(&entry)).unwrap();
            appended += 1;
        }
        assert_eq!(appended, 7);
        assert!(log.file.metadata().unwrap().len() <= MAX_BYTES);
        let next = log.next_name().unwrap();
        assert!(log.due().is_some());
        log.restart(next).unwrap();
        assert_eq!(log.file.metadata().unwrap().len(), 0);
        assert!(log.next_name().is_none() && log.due().is_none());
    }
}
