//! The thread that writes: it commits all waiting changes in one transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::{Database, Durability, ReadableTable};
use tokio::sync::{mpsc, oneshot};

use super::key_filter::KeyFilter;
use super::tables::{FileKey, USED, VALUES, file_key, stored_revision};
use crate::runtime::clock::now_ms;
use crate::store::{Entry, StoreError};

/// How many changes may wait, and how many are committed together.
pub(super) const MAX_BATCH: usize = 256;
/// How many entries one step of a sweep reads: that holds up other writes for a few milliseconds.
const SWEEP_STEP: usize = 1_000;

/// One change of the file.
pub(super) enum Change {
    Write(Vec<Entry>),
    Touch(Vec<FileKey>),
    /// Delete the expired of the next [`SWEEP_STEP`] entries after this one, or from the first on.
    Sweep(Option<FileKey>),
}

/// The outcome of a step of a sweep.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SweepStep {
    pub(super) deleted: usize,
    /// The last entry that it read; none when no more follow.
    pub(super) last: Option<FileKey>,
}

/// A change to make, and where its outcome goes.
pub(super) struct Request {
    pub(super) change: Change,
    pub(super) done: oneshot::Sender<Result<SweepStep, StoreError>>,
}

/// Runs until the store is dropped.
pub(super) fn run(
    database: &Database,
    filter: &KeyFilter,
    retention_ms: u64,
    mut requests: mpsc::Receiver<Request>,
) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    while requests.blocking_recv_many(&mut batch, MAX_BATCH) > 0 {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            commit(database, filter, retention_ms, &batch)
        }));
        let failure = match outcome {
            Ok(Ok(swept)) => {
                for (request, swept) in batch.drain(..).zip(swept) {
                    // Nobody waits any more: the change is made all the same.
                    let _ = request.done.send(Ok(swept));
                }
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the database panicked: its file may be damaged".to_owned(),
        };
        for request in batch.drain(..) {
            let error = StoreError::other("writing to the embedded store", &failure);
            let _ = request.done.send(Err(error));
        }
    }
}

fn commit(
    database: &Database,
    filter: &KeyFilter,
    retention_ms: u64,
    batch: &[Request],
) -> Result<Vec<SweepStep>, redb::Error> {
    let mut transaction = database.begin_write()?;
    if batch
        .iter()
        .all(|request| matches!(request.change, Change::Touch(_)))
    {
        // Touches may be lost with the process: the next write brings them to the disk.
        transaction.set_durability(Durability::None)?;
    }
    let now = now_ms();
    let mut outcomes = Vec::with_capacity(batch.len());
    {
        let mut file = Tables {
            values: transaction.open_table(VALUES)?,
            used: transaction.open_table(USED)?,
            filter,
            now,
            // Used before this: expired.
            expired: now.saturating_sub(retention_ms),
        };
        for request in batch {
            let mut swept = SweepStep::default();
            match &request.change {
                Change::Write(entries) => entries.iter().try_for_each(|entry| file.write(entry))?,
                Change::Touch(keys) => keys.iter().try_for_each(|key| file.touch(key))?,
                Change::Sweep(after) => swept = file.sweep(after.as_ref())?,
            }
            outcomes.push(swept);
        }
    }
    transaction.commit()?;
    Ok(outcomes)
}

/// The tables of one transaction.
struct Tables<'t> {
    values: redb::Table<'t, &'static FileKey, &'static [u8]>,
    used: redb::Table<'t, &'static FileKey, u64>,
    filter: &'t KeyFilter,
    now: u64,
    expired: u64,
}

impl Tables<'_> {
    fn alive(&self, key: &FileKey) -> Result<bool, redb::Error> {
        let used = self.used.get(key)?;
        Ok(used.is_some_and(|used| used.value() > self.expired))
    }

    fn write(&mut self, entry: &Entry) -> Result<(), redb::Error> {
        let key = &file_key(entry.key);
        if !entry.has_no_revisions() && self.alive(key)? {
            let stored = self.values.get(key)?;
            if stored.is_some_and(|stored| stored_revision(stored.value()) > f64::from(entry.rev)) {
                return Ok(());
            }
        }
        // Before the commit, so that no read misses an entry that is in the file.
        self.filter.insert(key);
        self.values.insert(key, &entry.value[..])?;
        self.used.insert(key, self.now)?;
        Ok(())
    }

    fn touch(&mut self, key: &FileKey) -> Result<(), redb::Error> {
        if self.alive(key)? {
            self.used.insert(key, self.now)?;
        }
        Ok(())
    }

    fn sweep(&mut self, after: Option<&FileKey>) -> Result<SweepStep, redb::Error> {
        use std::ops::Bound::{Excluded, Unbounded};

        let mut looked = 0;
        let mut last = None;
        let mut expired = Vec::new();
        let from = after.map_or(Unbounded, Excluded);
        for item in self
            .used
            .range::<&FileKey>((from, Unbounded))?
            .take(SWEEP_STEP)
        {
            let (key, used) = item?;
            looked += 1;
            last = Some(*key.value());
            if used.value() <= self.expired {
                expired.push(*key.value());
            }
        }
        for key in &expired {
            self.used.remove(key)?;
            self.values.remove(key)?;
        }
        Ok(SweepStep {
            deleted: expired.len(),
            last: last.filter(|_| looked == SWEEP_STEP),
        })
    }
}
