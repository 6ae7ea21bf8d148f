//! [`EmbeddedStore`]: a store in a local file, for a proxy without Redis.
//!
//! | file | what |
//! |---|---|
//! | here | the store: reads |
//! | `access` | the open file, or why it is closed |
//! | `writer` | the thread that writes, makes room and opens the file anew |
//! | `commit` | one transaction |
//! | `eviction` | deletes what was used longest ago |
//! | `room` | how much room there is, and what to do where there is none |
//! | `reopen` | when the file is opened anew after a failure |
//! | `file` | opens the file |
//! | `open_file` | the open file, with what is known of it in memory |
//! | `bounded_file` | keeps the file to its largest size |
//! | `tables` | the file's tables and keys |
//! | `key_filter` | which keys the file may hold, in memory |
//! | `write_ahead_log` | what was written since the last commit that reached the disk, for the case of a kill |

mod access;
mod bounded_file;
mod commit;
mod eviction;
mod file;
mod key_filter;
mod open_file;
mod reopen;
mod room;
mod tables;
mod write_ahead_log;
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
use tokio::time::timeout;

use self::access::Access;
use self::commit::{Change, Swept};
use self::tables::{FileKey, LastUse, USED, VALUES, file_key};
use self::writer::{MAX_BATCH, Request, WRITING, What, Writer};
use super::{Entry, Key, Life, SecretCheck, Store, StoreError};
use crate::contract::id::DigestKey;
use crate::redis::Full;
use crate::runtime::clock::now_ms;

/// A store in a database file, open in one process at a time.
///
/// Reads run concurrently, also with writes. Writes go to one thread, which commits all waiting ones in one transaction; it ends when the
/// store is dropped. What is written survives a kill of the process at once, and a power cut after about a second: see `write_ahead_log`.
/// After an I/O error that thread closes the file and opens it anew, once that can be done; until then all calls fail at once, but for
/// those that wait until the store is available.
pub struct EmbeddedStore {
    access: Arc<Access>,
    retention_ms: u64,
    max_bytes: u64,
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

impl EmbeddedStore {
    /// The name of its file in its folder.
    pub const FILE_NAME: &str = file::FILE_NAME;

    /// Opens the file in the folder `dir`, or makes both, readable by this user alone. Entries live for `retention` (at
    /// least 1 ms) since their last use. The file becomes no larger than `max_bytes`: where there is no room left, the entries that were
    /// used longest ago are deleted. Blocks while it walks the keys (a million: some 0.2 s); after a kill of the last process it walks the
    /// whole file once. Where the disk is too full for that, the store is away until it has room.
    ///
    /// # Errors
    /// When another process has the file open, when it is damaged or of a newer format, or when it can't be made.
    pub fn open(dir: &Path, retention: Duration, max_bytes: u64) -> Result<Self, StoreError> {
        let access = Arc::new(Access::open(dir.to_owned(), max_bytes)?);
        let retention_ms = u64::try_from(retention.as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let (requests, received) = mpsc::channel(MAX_BATCH);
        let failed = |error| StoreError::other("starting the store's writer", error);
        let writer = Writer::new(Arc::clone(&access), retention_ms, received).map_err(failed)?;
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(failed)?;
        Ok(Self {
            access,
            retention_ms,
            max_bytes,
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
            let swept = self.change(Change::Sweep(after)).await?;
            deleted += swept.deleted;
            after = swept.last;
            if after.is_none() {
                return Ok(deleted);
            }
        }
    }

    /// Makes the file smaller where that has much to gain and nobody has read or written for `idle`. Meanwhile the store is away: for some
    /// seconds if the file is large.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn compact_if_idle(&self, idle: Duration) -> Result<(), StoreError> {
        self.submit(What::Compact(idle)).await.map(drop)
    }

    /// Changes the entries of these keys; nothing where there are none, which would still be a transaction.
    async fn change_keys(
        &self,
        keys: &[Key],
        change: impl FnOnce(Vec<FileKey>) -> Change,
    ) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys = keys.iter().copied().map(file_key).collect();
        self.change(change(keys)).await.map(drop)
    }

    async fn change(&self, change: Change) -> Result<Swept, StoreError> {
        self.submit(What::Change(change)).await
    }

    async fn submit(&self, what: What) -> Result<Swept, StoreError> {
        let gone = || StoreError::other(WRITING, "its writer has ended");
        self.access.with(|_| ())?;
        let (done, outcome) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        let request = Request { what, done };
        requests.send(request).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }

    async fn read_database<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let operation = "reading from the embedded store";
        let access = Arc::clone(&self.access);
        // A damaged file can make the database panic: that ends the task alone.
        let done = tokio::task::spawn_blocking(move || access.with(|open| read(&open.database)));
        let failure = match done.await {
            Ok(Ok(Ok(done))) => return Ok(done),
            Ok(Ok(Err(error))) => StoreError::file(operation, error),
            Ok(Err(away)) => return Err(away),
            Err(panic) => StoreError::other(operation, panic),
        };
        self.have_file_checked();
        Err(failure)
    }

    /// Makes a call again and again for as long as the store is away.
    async fn while_away<T, F>(&self, call: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        loop {
            self.access.opened().await;
            match call().await {
                Err(error) if error.is_away() => tokio::task::yield_now().await,
                done => return done,
            }
        }
    }

    /// Has the writer find out whether the database is broken. It does so by itself where it is so busy that it can't be asked.
    fn have_file_checked(&self) {
        if let Some(requests) = &self.requests {
            let what = What::Change(Change::Check);
            let (done, _) = oneshot::channel();
            let _ = requests.try_send(Request { what, done });
        }
    }

    /// Refuses what would not fit into an empty file.
    fn check_size(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let largest = room::largest_block(self.max_bytes);
        let blocks = entries.iter().map(|entry| room::block(entry.value.len()));
        let bytes = blocks.fold(0, u64::saturating_add);
        if bytes <= largest {
            return Ok(());
        }
        let cause = format!(
            "entries that take {bytes} bytes never fit: at most {largest} do, an eighth of HEADROOM_MAX_STORE_BYTES"
        );
        Err(StoreError::other(WRITING, cause))
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn digest_key(&self) -> Result<DigestKey, StoreError> {
        self.access.digest_key()
    }

    async fn digest_key_until_available(&self) -> Result<DigestKey, StoreError> {
        match self.digest_key().await {
            Err(error) if error.is_away() => self.while_away(|| self.digest_key()).await,
            known => known,
        }
    }

    async fn check_secret(&self, own: &DigestKey) -> Result<SecretCheck, StoreError> {
        self.access.with(|_| ())?;
        self.access.check_secret(own)
    }

    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.access.note_use();
        let mut values = vec![None; keys.len()];
        let file_keys = keys.iter().copied().map(file_key).enumerate();
        let (places, file_keys): (Vec<usize>, Vec<FileKey>) = self.access.with(|open| {
            file_keys
                .filter(|(_, key)| open.filter.may_hold(key))
                .unzip()
        })?;
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

    async fn read_until_available(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.while_away(|| self.read(keys)).await
    }

    async fn write(&self, entries: &[Entry]) -> Result<(), StoreError> {
        self.access.note_use();
        if entries.is_empty() {
            return Ok(());
        }
        self.check_size(entries)?;
        let written = self.change(Change::Write(entries.to_vec()));
        written.await.map(drop)
    }

    async fn write_until_available(
        &self,
        entries: &[Entry],
        within: Duration,
    ) -> Result<(), StoreError> {
        timeout(within, self.while_away(|| self.write(entries)))
            .await
            .unwrap_or_else(|_| Err(StoreError::timeout(WRITING, within)))
    }

    async fn lives(&self, keys: &[Key]) -> Result<Vec<Option<Life>>, StoreError> {
        self.access.note_use();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let retention_ms = self.retention_ms;
        let keys: Vec<FileKey> = keys.iter().copied().map(file_key).collect();
        self.read_database(move |database| lives(database, &keys, retention_ms))
            .await
    }

    async fn touch(&self, keys: &[Key]) -> Result<Vec<bool>, StoreError> {
        let lives = self.lives(keys).await?;
        self.change_keys(keys, Change::Touch).await?;
        Ok(lives.iter().map(Option::is_some).collect())
    }

    async fn remove_provisional(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.access.note_use();
        self.change_keys(keys, Change::RemoveProvisional).await
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
    let last_use = LastUse::at(now_ms(), retention_ms);
    let transaction = database.begin_read()?;
    let values = transaction.open_table(VALUES)?;
    let used = transaction.open_table(USED)?;
    keys.iter()
        .map(|key| {
            let used = used.get(key)?;
            if used.and_then(|used| last_use.life(used.value())).is_none() {
                return Ok(None);
            }
            let value = values.get(key)?;
            Ok(value.map(|value| Bytes::copy_from_slice(value.value())))
        })
        .collect()
}

fn lives(
    database: &Database,
    keys: &[FileKey],
    retention_ms: u64,
) -> Result<Vec<Option<Life>>, redb::Error> {
    let last_use = LastUse::at(now_ms(), retention_ms);
    let used = database.begin_read()?.open_table(USED)?;
    keys.iter()
        .map(|key| {
            let used = used.get(key)?;
            Ok(used.and_then(|used| last_use.life(used.value())))
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

    const MAX_BYTES: u64 = 1 << 30;
    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

    fn form(name: u8) -> Key {
        Key::Form(FormId::from_bytes([name; 16]))
    }

    fn entry(name: u8, value: &'static str) -> Entry {
        Entry::without_revisions(form(name), value.into())
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
        let store = EmbeddedStore::open(dir.path(), WEEK, MAX_BYTES).unwrap();
        assert!(!reads_file(&store, form(1)));
        runtime.block_on(store.write(&[entry(1, "a")])).unwrap();
        assert!(reads_file(&store, form(1)) && !reads_file(&store, form(2)));
        drop(store);

        let store = EmbeddedStore::open(dir.path(), WEEK, MAX_BYTES).unwrap();
        assert!(reads_file(&store, form(1)) && !reads_file(&store, form(2)));
    }

    #[test]
    fn what_was_swept_is_asked_for_until_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let store = EmbeddedStore::open(dir.path(), Duration::from_millis(1), MAX_BYTES).unwrap();
        runtime.block_on(store.write(&[entry(1, "a")])).unwrap();
        while runtime.block_on(store.sweep()).unwrap() == 0 {}
        assert!(reads_file(&store, form(1)));
        drop(store);

        let store = EmbeddedStore::open(dir.path(), WEEK, MAX_BYTES).unwrap();
        assert!(!reads_file(&store, form(1)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_in_the_file_is_found_whatever_is_done_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = EmbeddedStore::open(dir.path(), WEEK, MAX_BYTES).unwrap();
        assert_eq!(read_one(&store, 1).await, None);
        for value in ["written", "written again"] {
            store.write(&[entry(1, value)]).await.unwrap();
            assert_eq!(read_one(&store, 1).await.unwrap(), value);
            store.touch(&[form(1), form(2)]).await.unwrap();
            assert_eq!(read_one(&store, 1).await.unwrap(), value);
            assert_eq!(store.sweep().await.unwrap(), 0);
            assert_eq!(read_one(&store, 1).await.unwrap(), value);
            drop(store);
            store = EmbeddedStore::open(dir.path(), WEEK, MAX_BYTES).unwrap();
            let found = store.read(&[form(2), form(1), form(3)]).await.unwrap();
            assert_eq!(found, [None, Some(value.into()), None]);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_written_is_found_from_every_thread_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(EmbeddedStore::open(dir.path(), WEEK, MAX_BYTES).unwrap());
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
