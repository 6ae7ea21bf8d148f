//! One transaction: many changes, made together or not at all.

use std::ops::Bound::{Excluded, Unbounded};

use redb::{Database, Durability, ReadableTable, WriteTransaction};

use super::bounded_file::FileLength;
use super::key_filter::KeyFilter;
use super::open_file::Open;
use super::room::{self, COMMIT_PAGES, MAX_DELETED_IN_STEP};
use super::tables::{
    FileKey, LOG, LastUse, META, RESERVE, USED, VALUES, file_key, stored_revision,
};
use super::write_ahead_log::{LogName, WriteAheadLog, Written};
use crate::runtime::clock::now_ms;
use crate::store::{Entry, Life};

/// How many entries one step of a sweep or an eviction reads: that holds up other writes for a few milliseconds.
pub(super) const STEP: usize = 1_000;

/// One change of the file.
pub(super) enum Change {
    Write(Vec<Entry>),
    Touch(Vec<FileKey>),
    RemoveProvisional(Vec<FileKey>),
    /// Delete the expired of the next [`STEP`] entries after this one, or from the first on.
    Sweep(Option<FileKey>),
    /// Nothing: only find out whether the file can still be written.
    Check,
    /// Bring what was written before to the disk.
    Sync,
}

/// What a transaction survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Survives {
    /// Nothing: the next commit to the disk brings it there.
    Nothing,
    /// A kill of the process, by the log.
    Kill,
    /// A power cut.
    PowerCut,
}

impl Survives {
    /// What the transaction of these changes has to survive. A file that has no room to grow needs the pages again that a commit
    /// to the disk sets free.
    fn needed<'c>(changes: impl Iterator<Item = &'c Change>, length: &FileLength) -> Self {
        let needs = changes.map(|change| match change {
            Change::Touch(_) | Change::Check => Self::Nothing,
            Change::Write(_) if length.may_double() => Self::Kill,
            _ => Self::PowerCut,
        });
        needs
            .max_by_key(|needed| *needed as u8)
            .unwrap_or(Self::Nothing)
    }
}

/// The outcome of a step of a sweep or an eviction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Swept {
    pub(super) deleted: usize,
    /// The last entry that it looked at; none when no more follow.
    pub(super) last: Option<FileKey>,
}

/// What a transaction has done.
#[derive(Debug, Default)]
pub(super) struct Committed {
    /// The outcome of each change.
    pub(super) outcomes: Vec<Swept>,
    /// How many bytes of the file became free.
    pub(super) freed: u64,
    /// How many bytes of the file were taken.
    pub(super) taken: u64,
}

/// Makes these changes, so that so many pages stay free in a file that may not grow; `None` where there is no room for them.
pub(super) fn commit<'c>(
    open: &Open,
    retention_ms: u64,
    changes: impl Iterator<Item = &'c Change> + Clone,
    reserve_pages: u64,
) -> Result<Option<Committed>, redb::Error> {
    let mut survives = Survives::needed(changes.clone(), &open.length);
    let mut transaction = open.database.begin_write()?;
    let mut done = Committed::default();
    let written = {
        let now = now_ms();
        let mut tables = Tables::open(&transaction, &open.filter, now)?;
        let last_use = LastUse::at(now, retention_ms);
        for change in changes {
            let mut swept = Swept::default();
            match change {
                Change::Write(entries) => entries
                    .iter()
                    .try_for_each(|entry| tables.write(entry, last_use))?,
                Change::Touch(keys) => keys
                    .iter()
                    .try_for_each(|key| tables.touch(key, last_use))?,
                Change::RemoveProvisional(keys) => keys
                    .iter()
                    .try_for_each(|key| tables.remove_until(key, last_use.provisional))?,
                Change::Sweep(after) => {
                    swept = tables.delete(after.as_ref(), last_use.expired, MAX_DELETED_IN_STEP)?;
                }
                Change::Check | Change::Sync => {}
            }
            done.outcomes.push(swept);
        }
        (done.freed, done.taken) = (tables.freed, tables.taken);
        tables.written
    };
    if !has_reserve(&transaction, &open.length, reserve_pages)? {
        transaction.abort()?;
        return Ok(None);
    }
    if survives == Survives::Kill && !append(&mut open.log(), &written) {
        survives = Survives::PowerCut;
    }
    if survives == Survives::PowerCut {
        commit_to_disk(open, transaction)?;
    } else {
        transaction.set_durability(Durability::None)?;
        transaction.commit()?;
    }
    Ok(Some(done))
}

/// Appends entries to the log; `false` where they have to go to the disk instead.
fn append(log: &mut WriteAheadLog, written: &[Written]) -> bool {
    log.takes(written)
        && log
            .append(written)
            .inspect_err(|error| {
                tracing::debug!(%error, "could not append to the log of the embedded store");
            })
            .is_ok()
}

/// Commits to the disk, with all that was committed before, and begins a new log.
fn commit_to_disk(open: &Open, transaction: WriteTransaction) -> Result<(), redb::Error> {
    let mut log = open.log();
    let next = log.next_name();
    if let Some(name) = next {
        transaction.open_table(META)?.insert(LOG, &name[..])?;
    }
    transaction.commit()?;
    if let Some(name) = next {
        log.restart(name).map_err(redb::Error::Io)?;
    }
    Ok(())
}

/// Writes the entries of a log to the disk, and the name of the next log.
pub(super) fn replay(
    database: &Database,
    filter: &KeyFilter,
    entries: &[Written],
    next: LogName,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut tables = Tables::open(&transaction, filter, now_ms())?;
        entries
            .iter()
            .try_for_each(|entry| tables.write_again(entry))?;
        transaction.open_table(META)?.insert(LOG, &next[..])?;
    }
    Ok(transaction.commit()?)
}

/// Deletes what was last used at `until` or before, of the next [`STEP`] entries after this one, but at most so many. Returns which these
/// are, and how many bytes became free; `None` where there is not even room for that, and nothing is deleted.
pub(super) fn evict(
    open: &Open,
    after: Option<&FileKey>,
    until: u64,
    at_most: usize,
) -> Result<(Swept, Option<u64>), redb::Error> {
    let transaction = open.database.begin_write()?;
    let (swept, freed) = {
        let mut tables = Tables::open(&transaction, &open.filter, now_ms())?;
        (tables.delete(after, until, at_most)?, tables.freed)
    };
    if !has_reserve(&transaction, &open.length, COMMIT_PAGES)? {
        transaction.abort()?;
        return Ok((swept, None));
    }
    commit_to_disk(open, transaction)?;
    Ok((swept, Some(freed)))
}

/// Whether so many pages are free in a file that may not grow: takes them and gives them back.
fn has_reserve(
    transaction: &WriteTransaction,
    length: &FileLength,
    pages: u64,
) -> Result<bool, redb::Error> {
    if length.may_double() {
        return Ok(true);
    }
    {
        let mut reserve = transaction.open_table(RESERVE)?;
        // Two of these do not fit into one page.
        let page = [0; 3_000];
        for number in 0..pages {
            if length.is_refused() {
                return Ok(false);
            }
            reserve.insert(number, &page[..])?;
        }
    }
    transaction.delete_table(RESERVE)?;
    Ok(!length.is_refused())
}

/// The tables of one transaction.
struct Tables<'t> {
    values: redb::Table<'t, &'static FileKey, &'static [u8]>,
    used: redb::Table<'t, &'static FileKey, u64>,
    filter: &'t KeyFilter,
    now: u64,
    freed: u64,
    taken: u64,
    written: Vec<Written>,
}

impl<'t> Tables<'t> {
    fn open(
        transaction: &'t WriteTransaction,
        filter: &'t KeyFilter,
        now: u64,
    ) -> Result<Self, redb::Error> {
        Ok(Self {
            values: transaction.open_table(VALUES)?,
            used: transaction.open_table(USED)?,
            filter,
            now,
            freed: 0,
            taken: 0,
            written: Vec::new(),
        })
    }

    fn alive(&self, key: &FileKey, last_use: LastUse) -> Result<bool, redb::Error> {
        let used = self.used.get(key)?;
        Ok(used.is_some_and(|used| last_use.life(used.value()).is_some()))
    }

    fn write(&mut self, entry: &Entry, last_use: LastUse) -> Result<(), redb::Error> {
        let key = &file_key(entry.key);
        if !entry.has_no_revisions() && self.alive(key, last_use)? {
            let stored = self.values.get(key)?;
            if stored.is_some_and(|stored| stored_revision(stored.value()) > f64::from(entry.rev)) {
                return Ok(());
            }
        }
        // Before the commit, so that no read misses an entry that is in the file.
        self.filter.insert(key);
        let replaced = self.values.insert(key, &entry.value[..])?;
        self.freed += replaced.map_or(0, |value| room::block(value.value().len()));
        self.taken += room::block(entry.value.len());
        let used = match entry.life {
            Life::Full => self.now,
            Life::Provisional => {
                let before = self.used.get(key)?.map(|used| used.value());
                before.unwrap_or_default().max(last_use.provisional)
            }
        };
        self.used.insert(key, used)?;
        let value = entry.value.clone();
        self.written.push(Written {
            key: *key,
            used,
            value,
        });
        Ok(())
    }

    /// Writes an entry of the log.
    fn write_again(&mut self, entry: &Written) -> Result<(), redb::Error> {
        self.filter.insert(&entry.key);
        self.values.insert(&entry.key, &entry.value[..])?;
        let before = self.used.get(&entry.key)?.map(|used| used.value());
        let used = before.unwrap_or_default().max(entry.used);
        self.used.insert(&entry.key, used)?;
        Ok(())
    }

    /// Deletes an entry that was last used at `until` or before.
    fn remove_until(&mut self, key: &FileKey, until: u64) -> Result<(), redb::Error> {
        let used = self.used.get(key)?.map(|used| used.value());
        if used.is_some_and(|used| used <= until) {
            self.remove(key)?;
        }
        Ok(())
    }

    fn remove(&mut self, key: &FileKey) -> Result<(), redb::Error> {
        self.used.remove(key)?;
        let value = self.values.remove(key)?;
        self.freed += value.map_or(0, |value| room::block(value.value().len()));
        Ok(())
    }

    fn touch(&mut self, key: &FileKey, last_use: LastUse) -> Result<(), redb::Error> {
        if self.alive(key, last_use)? {
            self.used.insert(key, self.now)?;
        }
        Ok(())
    }

    /// Deletes at most so many of the next [`STEP`] entries after this one: those that were last used at `until` or before.
    fn delete(
        &mut self,
        after: Option<&FileKey>,
        until: u64,
        at_most: usize,
    ) -> Result<Swept, redb::Error> {
        let mut last = None;
        let mut ended = true;
        let mut found = Vec::new();
        let from = after.map_or(Unbounded, Excluded);
        for (read, item) in self.used.range::<&FileKey>((from, Unbounded))?.enumerate() {
            if read == STEP || found.len() == at_most {
                ended = false;
                break;
            }
            let (key, used) = item?;
            last = Some(*key.value());
            if used.value() <= until {
                found.push(*key.value());
            }
        }
        found.iter().try_for_each(|key| self.remove(key))?;
        Ok(Swept {
            deleted: found.len(),
            last: last.filter(|_| !ended),
        })
    }
}
