//! A store in a local file, for a proxy that has no Redis.

mod file;
mod layout;
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

use self::layout::{FileKey, USED, VALUES, file_key};
use self::writer::{Change, Order, Swept, WAITING};
use super::{Entry, Key, Store, StoreError};
use crate::clock::now_ms;
use crate::id::DigestKey;

/// A store in a database file, open in one process at a time.
///
/// Reads run beside each other and beside writes. Writes go to one thread, which commits what has gathered as one; it ends
/// when the store is dropped.
pub struct EmbeddedStore {
    database: Arc<Database>,
    secret: DigestKey,
    retention_ms: u64,
    orders: Option<mpsc::Sender<Order>>,
    writer: Option<JoinHandle<()>>,
}

impl EmbeddedStore {
    /// Opens the file in the folder `dir`, or makes both, readable by this user alone. Entries live for `retention` (at
    /// least 1 ms) since their last use. Blocks; after a kill of the last process it walks the whole file once.
    ///
    /// # Errors
    /// When another process has the file open, when it is damaged or of a newer format, or when it can't be made.
    pub fn open(dir: &Path, retention: Duration) -> Result<Self, StoreError> {
        let (database, secret) = file::open(dir)?;
        let database = Arc::new(database);
        let retention_ms = u64::try_from(retention.as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let (orders, received) = mpsc::channel(WAITING);
        let written = Arc::clone(&database);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer::run(&written, retention_ms, received))
            .map_err(|error| StoreError::other("starting the store's writer", error))?;
        Ok(Self {
            database,
            secret,
            retention_ms,
            orders: Some(orders),
            writer: Some(writer),
        })
    }

    /// Deletes what has expired, in steps of some milliseconds between which others write; gives how many entries that
    /// were. The file does not shrink: its space is used again.
    ///
    /// # Errors
    /// When the file can't be written. What was deleted before stays so.
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let mut deleted = 0;
        let mut after = None;
        loop {
            let step = self.order(Change::Sweep(after)).await?;
            deleted += step.deleted;
            after = step.last;
            if after.is_none() {
                return Ok(deleted);
            }
        }
    }

    async fn order(&self, change: Change) -> Result<Swept, StoreError> {
        let gone = || StoreError::other("writing to the embedded store", "its writer has ended");
        let (done, outcome) = oneshot::channel();
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        let order = Order { change, done };
        orders.send(order).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }

    async fn look<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let what = "reading from the embedded store";
        let database = Arc::clone(&self.database);
        // A damaged file can make the database panic: that ends the task alone.
        tokio::task::spawn_blocking(move || run(&database))
            .await
            .map_err(|error| StoreError::other(what, error))?
            .map_err(|error| StoreError::file(what, error))
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn digest_key(&self) -> Result<DigestKey, StoreError> {
        Ok(self.secret.clone())
    }

    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let keys: Vec<FileKey> = keys.iter().copied().map(file_key).collect();
        let retention_ms = self.retention_ms;
        self.look(move |database| read(database, &keys, retention_ms))
            .await
    }

    async fn write(&self, entries: &[Entry]) -> Result<(), StoreError> {
        self.order(Change::Write(entries.to_vec())).await.map(drop)
    }

    async fn touch(&self, keys: &[Key]) -> Result<(), StoreError> {
        let keys = keys.iter().copied().map(file_key).collect();
        self.order(Change::Touch(keys)).await.map(drop)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.look(|database| {
            database.begin_read()?.open_table(USED)?;
            Ok(())
        })
        .await
    }
}

impl Drop for EmbeddedStore {
    /// Waits for the changes under way, so that the file is free when this returns.
    fn drop(&mut self) {
        self.orders = None;
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
