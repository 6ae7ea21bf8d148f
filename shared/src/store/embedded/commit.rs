//! One transaction: many changes, made together or not at all.

use std::ops::Bound::{Excluded, Unbounded};

use redb::{Durability, ReadableTable, WriteTransaction};

use super::bounded_file::FileLength;
use super::file::Open;
use super::key_filter::KeyFilter;
use super::room::{self, COMMIT_PAGES, MAX_DELETED_IN_STEP};
use super::tables::{FileKey, LastUse, RESERVE, USED, VALUES, file_key, stored_revision};
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
    let mut transaction = open.database.begin_write()?;
    if changes
        .clone()
        .all(|change| matches!(change, Change::Touch(_) | Change::Check))
    {
        // Touches may be lost with the process: the next write brings them to the disk.
        transaction.set_durability(Durability::None)?;
    }
    let mut done = Committed::default();
    {
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
                Change::Check => {}
            }
            done.outcomes.push(swept);
        }
        (done.freed, done.taken) = (tables.freed, tables.taken);
    }
    let has_room = has_reserve(&transaction, &open.length, reserve_pages)?;
    end(transaction, has_room.then_some(done))
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
    let has_room = has_reserve(&transaction, &open.length, COMMIT_PAGES)?;
    Ok((swept, end(transaction, has_room.then_some(freed))?))
}

/// Commits what was done, or aborts.
fn end<T>(transaction: WriteTransaction, done: Option<T>) -> Result<Option<T>, redb::Error> {
    if done.is_some() {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(done)
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
