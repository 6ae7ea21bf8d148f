//! Makes room: deletes the entries that were used longest ago, step by step.

use std::ops::Bound::{Excluded, Unbounded};

use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::commit::{self, STEP};
use super::open_file::Open;
use super::room::{self, Earliest, MAX_DELETED_IN_STEP};
use super::tables::{FileKey, USED};

/// Whether an eviction goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Step,
    Done,
    /// There was no room for what a step itself has to write: nothing is deleted.
    NoRoom,
}

/// One pass over the entries that finds out which were used longest ago, and another that deletes them.
#[derive(Debug)]
pub(super) struct Eviction {
    pass: Pass,
    /// How many entries the next step deletes at most.
    step: usize,
    /// How many entries it has deleted.
    pub(super) deleted: usize,
    /// How many bytes of the file became free.
    pub(super) freed: u64,
}

#[derive(Debug)]
enum Pass {
    Find {
        after: Option<FileKey>,
        times: Earliest,
    },
    Delete {
        after: Option<FileKey>,
        /// What was used later stays.
        until: u64,
        left: usize,
    },
}

impl Eviction {
    /// Begins one.
    pub(super) fn begin(open: &Open) -> Result<Self, redb::Error> {
        let used = open.database.begin_read()?.open_table(USED)?;
        let (len, max_bytes) = (open.length.bytes(), open.length.max_bytes());
        let count = room::entries_to_delete(used.len()?, len, max_bytes);
        Ok(Self {
            pass: Pass::Find {
                after: None,
                times: Earliest::new(count),
            },
            step: MAX_DELETED_IN_STEP,
            deleted: 0,
            freed: 0,
        })
    }

    /// Takes the next step, of a few milliseconds.
    pub(super) fn step(&mut self, open: &Open) -> Result<Next, redb::Error> {
        match &mut self.pass {
            Pass::Find { after, times } => {
                *after = find(open, after.as_ref(), times)?;
                if after.is_some() {
                    return Ok(Next::Step);
                }
                let Some(until) = times.latest() else {
                    return Ok(Next::Done);
                };
                self.pass = Pass::Delete {
                    after: None,
                    until,
                    left: times.len(),
                };
                Ok(Next::Step)
            }
            Pass::Delete { after, until, left } => {
                let at_most = self.step.min(*left);
                let (swept, freed) = commit::evict(open, after.as_ref(), *until, at_most)?;
                if freed.is_none() && self.step > 1 {
                    self.step /= 2;
                    return Ok(Next::Step);
                }
                // To delete one entry may take as much room as a large one beside it, which is written again. Then it stays.
                *after = swept.last;
                if let Some(freed) = freed {
                    self.step = MAX_DELETED_IN_STEP.min(2 * self.step);
                    self.freed += freed;
                    self.deleted += swept.deleted;
                    *left -= swept.deleted;
                }
                Ok(match (after.is_some() && *left > 0, self.deleted) {
                    (true, _) => Next::Step,
                    (false, 0) => Next::NoRoom,
                    (false, _) => Next::Done,
                })
            }
        }
    }
}

/// Takes the times of the next [`STEP`] entries in. Returns the last of them; none when no more follow.
fn find(
    open: &Open,
    after: Option<&FileKey>,
    times: &mut Earliest,
) -> Result<Option<FileKey>, redb::Error> {
    let used = open.database.begin_read()?.open_table(USED)?;
    let from = after.map_or(Unbounded, Excluded);
    let mut entries = ReadableTable::range::<&FileKey>(&used, (from, Unbounded))?;
    let mut last = None;
    for item in entries.by_ref().take(STEP) {
        let (key, used) = item?;
        times.push(used.value());
        last = Some(*key.value());
    }
    Ok(last.filter(|_| entries.next().is_some()))
}
