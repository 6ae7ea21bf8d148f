//! [`EmbeddedStore`]: a store in a local file, for a proxy without Redis.
//!
//! | file | what |
//! |---|---|
//! | here | the store: reads |
//! | `writer` | the thread that writes |
//! | `file` | opens the file |
//! | `tables` | the file's tables and keys |
//! | `key_filter` | which keys the file may hold, in memory |

mod file;
mod key_filter;
mod tables;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redb::{Database, ReadableDatabase};
use tokio::sync::{mpsc, oneshot};

use self::key_filter::KeyFilter;
use self::tables::{FileKey, USED, VALUES, file_key};
use self::writer::{Change, MAX_BATCH, Request, SweepStep};
use super::{Entry, Key, Store, StoreError};
use crate::contract::id::DigestKey;
use crate::redis::Full;
use crate::runtime::clock::now_ms;

/// A store in a database file, open in one process at a time.
///
/// Reads run concurrently, also with writes. Writes go to one thread, which commits all waiting ones in one transaction; it ends when the
/// store is dropped.
pub struct EmbeddedStore {
    database: Arc<Database>,
    filter: Arc<KeyFilter>,
    secret: DigestKey,
    retention_ms: u64,
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

impl EmbeddedStore {
    /// Opens the file in the folder `dir`, or makes both, readable by this user alone. Entries live for `retention` (at
    /// least 1 ms) since their last use. Blocks while it walks the keys (a million: some 0.2 s); after a kill of the last
    /// process it walks the whole file once.
    ///
    /// # Errors
    /// When another process has the file open, when it is damaged or of a newer format, or when it can't be made.
    pub fn open(dir: &Path, retention: Duration) -> Result<Self, StoreError> {
        let (database, secret, filter) = file::open(dir)?;
        let (database, filter) = (Arc::new(database), Arc::new(filter));
        let retention_ms = u64::try_from(retention.as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let (requests, received) = mpsc::channel(MAX_BATCH);
        let written = (Arc::clone(&database), Arc::clone(&filter));
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer::run(&written.0, &written.1, retention_ms, received))
            .map_err(|error| StoreError::other("starting the store's writer", error))?;
        Ok(Self {
            database,
            filter,
            secret,
            retention_ms,
            requests: Some(requests),
            writer: Some(writer),
        })
    }

    /// Deletes expired entries, in steps of some milliseconds between which other writes run. Returns how many they were. The file does not
    /// shrink: its space is used again.
    ///
    /// # Errors
    /// When the file can't be written. What was deleted before stays so.
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let mut deleted = 0;
        let mut after = None;
        loop {
            let step = self.submit(Change::Sweep(after)).await?;
            deleted += step.deleted;
            after = step.last;
            if after.is_none() {
                return Ok(deleted);
            }
        }
    }

    async fn submit(&self, change: Change) -> Result<SweepStep, StoreError> {
        let gone = || StoreError::other("writing to the embedded store", "its writer has ended");
        let (done, outcome) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        let request = Request { change, done };
        requests.send(request).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }

    async fn read_database<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let operation = "reading from the embedded store";
        let database = Arc::clone(&self.database);
        // A damaged file can make the database panic: that ends the task alone.
        tokio::task::spawn_blocking(move || read(&database))
            .await
            .map_err(|error| StoreError::other(operation, error))?
            .map_err(|error| StoreError::file(operation, error))
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn digest_key(&self) -> Result<DigestKey, StoreError> {
        Ok(self.secret.clone())
    }

    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let mut values = vec![None; keys.len()];
        let file_keys = keys.iter().copied().map(file_key).enumerate();
        let (places, file_keys): (Vec<usize>, Vec<FileKey>) = file_keys
            .filter(|(_, key)| self.filter.may_hold(key))
            .unzip();
        if file_keys.is_empty() {
            return Ok(values);
        }
        let retention_ms = self.retention_ms;
        let found = self.read_database(move |database| read(database, &file_keys, retention_ms));
        for (place, value) in places.into_iter().zip(found.await?) {
            values[place] = value;
        }
        Ok(values)
    }

    async fn write(&self, entries: &[Entry]) -> Result<(), StoreError> {
        self.submit(Change::Write(entries.to_vec())).await.map(drop)
    }

    async fn touch(&self, keys: &[Key]) -> Result<(), StoreError> {
        let keys = keys.iter().copied().map(file_key).collect();
        self.submit(Change::Touch(keys)).await.map(drop)
    }

    async fn ping(&self) -> Result<Option<Full>, StoreError> {
        self.read_database(|database| {
            database.begin_read()?.open_table(USED)?;
            Ok(None)
        })
        .await
    }
}

impl Drop for EmbeddedStore {
    /// Waits for the changes under way, so that the file is free when this returns.
    fn drop(&mut self) {
        self.requests = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").finish_non_exhaustive()
    }
}

fn read(
    database: &Database,
    keys: &[FileKey],
    retention_ms: u64,
) -> Result<Vec<Option<Bytes>>, redb::Error> {
    let expired = now_ms().saturating_sub(retention_ms);
    let transaction = database.begin_read()?;
    let values = transaction.open_table(VALUES)?;
    let used = transaction.open_table(USED)?;
    keys.iter()
        .map(|key| {
            if used.get(key)?.is_none_or(|used| used.value() <= expired) {
                return Ok(None);
            }
            let value = values.get(key)?;
            Ok(value.map(|value| Bytes::copy_from_slice(value.value())))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use futures_util::FutureExt;
    use tokio::task::JoinSet;

    use super::*;
    use crate::contract::id::FormId;

    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

    fn form(name: u8) -> Key {
        Key::Form(FormId::from_bytes([name; 16]))
    }

    fn entry(name: u8, value: &'static str) -> Entry {
        Entry {
            key: form(name),
            rev: 0,
            value: value.into(),
        }
    }

    async fn read_one(store: &EmbeddedStore, name: u8) -> Option<Bytes> {
        store.read(&[form(name)]).await.unwrap().remove(0)
    }

    /// Whether a read goes to the file. It can't from outside a runtime, which has the blocking threads.
    fn reads_file(store: &EmbeddedStore, key: Key) -> bool {
        let read = AssertUnwindSafe(|| store.read(&[key]).now_or_never());
        let Ok(result) = catch_unwind(read) else {
            return true;
        };
        assert_eq!(result.unwrap().unwrap(), [None]);
        false
    }

    #[test]
    fn only_a_read_of_what_may_be_there_goes_to_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let store = EmbeddedStore::open(dir.path(), WEEK).unwrap();
        assert!(!reads_file(&store, form(1)));
        runtime.block_on(store.write(&[entry(1, "a")])).unwrap();
        assert!(reads_file(&store, form(1)) && !reads_file(&store, form(2)));
        drop(store);

        let store = EmbeddedStore::open(dir.path(), WEEK).unwrap();
        assert!(reads_file(&store, form(1)) && !reads_file(&store, form(2)));
    }

    #[test]
    fn what_was_swept_is_asked_for_until_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let store = EmbeddedStore::open(dir.path(), Duration::from_millis(1)).unwrap();
        runtime.block_on(store.write(&[entry(1, "a")])).unwrap();
        while runtime.block_on(store.sweep()).unwrap() == 0 {}
        assert!(reads_file(&store, form(1)));
        drop(store);

        let store = EmbeddedStore::open(dir.path(), WEEK).unwrap();
        assert!(!reads_file(&store, form(1)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_in_the_file_is_found_whatever_is_done_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = EmbeddedStore::open(dir.path(), WEEK).unwrap();
        assert_eq!(read_one(&store, 1).await, None);
        for value in ["written", "written again"] {
            store.write(&[entry(1, value)]).await.unwrap();
            assert_eq!(read_one(&store, 1).await.unwrap(), value);
            store.touch(&[form(1), form(2)]).await.unwrap();
            assert_eq!(read_one(&store, 1).await.unwrap(), value);
            assert_eq!(store.sweep().await.unwrap(), 0);
            assert_eq!(read_one(&store, 1).await.unwrap(), value);
            drop(store);
            store = EmbeddedStore::open(dir.path(), WEEK).unwrap();
            let found = store.read(&[form(2), form(1), form(3)]).await.unwrap();
            assert_eq!(found, [None, Some(value.into()), None]);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_written_is_found_from_every_thread_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(EmbeddedStore::open(dir.path(), WEEK).unwrap());
        let mut writers = JoinSet::new();
        for name in 0..=255 {
            let store = Arc::clone(&store);
            writers.spawn(async move {
                assert_eq!(read_one(&store, name).await, None);
                store.write(&[entry(name, "a")]).await.unwrap();
                let read = async move { read_one(&store, name).await };
                JoinSet::from_iter([read]).join_all().await
            });
        }
        let found = writers.join_all().await.concat();
        assert!(found.len() == 256 && found.iter().all(Option::is_some));
    }
}
