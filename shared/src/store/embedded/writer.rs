//! The thread that writes: it commits all waiting changes in one transaction, makes room, and opens the file anew after a failure.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use super::access::Access;
use super::commit::{self, Change, Committed, Swept};
use super::eviction::{Eviction, Next};
use super::open_file::Open;
use super::reopen::{self, Delays};
use super::room::{self, AMPLE_BYTES, AMPLE_PAGES, RESERVE_BYTES, RESERVE_PAGES};
use crate::store::StoreError;

/// How many requests may wait, and how many are committed together.
pub(super) const MAX_BATCH: usize = 256;
/// The name of the operation in errors.
pub(super) const WRITING: &str = "writing to the embedded store";

/// What the writer is asked for, and where its outcome goes.
pub(super) struct Request {
    pub(super) what: What,
    pub(super) done: oneshot::Sender<Result<Swept, StoreError>>,
}

/// What the writer can do.
pub(super) enum What {
    Change(Change),
    /// Makes the file smaller if that has much to gain and nobody has used the store for so long.
    Compact(Duration),
}

/// The thread's own.
pub(super) struct Writer {
    access: Arc<Access>,
    retention_ms: u64,
    requests: mpsc::Receiver<Request>,
    eviction: Option<Eviction>,
    /// How many bytes of the file have become free since the last compaction and were not taken again.
    freed: u64,
    delays: Delays,
    timer: Runtime,
}

/// A change that waits, and where its outcome goes.
struct Waiting {
    change: Change,
    done: oneshot::Sender<Result<Swept, StoreError>>,
}

/// Why the database is to be opened anew.
struct Broken(String);

impl Writer {
    pub(super) fn new(
        access: Arc<Access>,
        retention_ms: u64,
        requests: mpsc::Receiver<Request>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            access,
            retention_ms,
            requests,
            eviction: None,
            freed: 0,
            delays: Delays::new(),
            timer: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()?,
        })
    }

    /// Runs until the store is dropped.
    pub(super) fn run(mut self) {
        let opened = self.access.why_closed().map(Broken).map_or(Ok(()), Err);
        self.heal(opened, &mut Vec::new());
        let mut requests = Vec::with_capacity(MAX_BATCH);
        while self.next_requests(&mut requests) {
            let mut batch = Vec::with_capacity(requests.len());
            for Request { what, done } in requests.drain(..) {
                match what {
                    What::Change(change) => batch.push(Waiting { change, done }),
                    What::Compact(idle) => {
                        let compacted = self.compact_if_idle(idle);
                        let _ = done.send(Ok(Swept::default()));
                        self.heal(compacted, &mut Vec::new());
                    }
                }
            }
            if !batch.is_empty() {
                let written = self.write(&mut batch);
                self.heal(written, &mut batch);
            }
            if self.sync_due().is_some_and(|due| due <= Instant::now()) {
                let synced = self.sync();
                self.heal(synced, &mut Vec::new());
            }
        }
        if self.sync_due().is_some() {
            // Where this fails, what is in the log is brought to the disk at the next start.
            let _ = self.sync();
        }
    }

    /// When what was written has to be on the disk; none where it is.
    fn sync_due(&self) -> Option<Instant> {
        self.access.with(|open| open.log().due()).ok().flatten()
    }

    /// Brings what was written to the disk.
    fn sync(&mut self) -> Result<(), Broken> {
        let retention_ms = self.retention_ms;
        let sync = || [&Change::Sync].into_iter();
        let synced = self.with_open(|open| commit::commit(open, retention_ms, sync(), 0))?;
        synced
            .map(drop)
            .ok_or_else(|| Broken("its file has no room for a commit".to_owned()))
    }

    /// Waits for requests until what was written has to go to the disk, and makes room meanwhile if that has begun. `false` when the store
    /// was dropped.
    fn next_requests(&mut self, requests: &mut Vec<Request>) -> bool {
        while self.eviction.is_some() {
            let stepped = self.step().map(drop);
            self.heal(stepped, &mut Vec::new());
            while requests.len() < MAX_BATCH
                && let Ok(request) = self.requests.try_recv()
            {
                requests.push(request);
            }
            if !requests.is_empty() {
                return true;
            }
        }
        let Some(due) = self.sync_due() else {
            return self.requests.blocking_recv_many(requests, MAX_BATCH) > 0;
        };
        let received = self.requests.recv_many(requests, MAX_BATCH);
        let until = async { tokio::time::timeout_at(due.into(), received).await };
        !matches!(self.timer.block_on(until), Ok(0))
    }

    /// Makes these changes and tells their outcomes. Makes room for them first where there is none.
    fn write(&mut self, batch: &mut Vec<Waiting>) -> Result<(), Broken> {
        let wanted = wanted(batch);
        let mut freed = 0;
        loop {
            let makes_room = self.eviction.is_some() || freed > 0;
            let reserve = if makes_room {
                RESERVE_PAGES
            } else {
                AMPLE_PAGES
            };
            if let Some(done) = self.commit(batch, reserve)? {
                answer(batch, done);
                return Ok(());
            }
            if self.with_open(|open| Ok(open.length.may_be_lengthened()))? {
                self.lengthen(0)?;
                continue;
            }
            // What is free may lie in parts that are too small, so twice as much is tried, and no more.
            if freed >= 2 * wanted {
                return self.write_one_by_one(batch);
            }
            if self.eviction.is_none() {
                self.eviction = Some(self.with_open(Eviction::begin)?);
            }
            let more = self.make_room(wanted)?;
            if more == 0 && self.eviction.is_none() {
                return self.write_one_by_one(batch);
            }
            freed += more;
        }
    }

    /// Makes those of these changes for which there is room.
    fn write_one_by_one(&mut self, batch: &mut Vec<Waiting>) -> Result<(), Broken> {
        while let Some(waiting) = batch.pop() {
            let mut alone = vec![waiting];
            match self.commit(&alone, RESERVE_PAGES) {
                Ok(Some(done)) => answer(&mut alone, done),
                Ok(None) => refuse(&mut alone, |waiting| {
                    let bytes = wanted(std::slice::from_ref(waiting));
                    let cause = format!(
                        "its file has no room for {bytes} bytes more within HEADROOM_MAX_STORE_BYTES"
                    );
                    StoreError::no_room(WRITING, cause)
                }),
                Err(broken) => {
                    batch.append(&mut alone);
                    return Err(broken);
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self, batch: &[Waiting], reserve: u64) -> Result<Option<Committed>, Broken> {
        let retention_ms = self.retention_ms;
        let changes = batch.iter().map(|waiting| &waiting.change);
        let done =
            self.with_open(|open| commit::commit(open, retention_ms, changes.clone(), reserve))?;
        if let Some(done) = &done {
            self.freed = (self.freed + done.freed).saturating_sub(done.taken);
        }
        Ok(done)
    }

    /// Deletes what was used longest ago, as far as the eviction under way goes, until so many bytes more are free. Returns how many have
    /// become free.
    fn make_room(&mut self, bytes: u64) -> Result<u64, Broken> {
        let mut freed = 0;
        while self.eviction.is_some() && freed < bytes {
            freed += self.step()?;
        }
        Ok(freed)
    }

    /// Takes a step of the eviction under way. Returns how many bytes became free.
    fn step(&mut self) -> Result<u64, Broken> {
        let Some(mut eviction) = self.eviction.take() else {
            return Ok(0);
        };
        let before = eviction.freed;
        let next = self.with_open(|open| eviction.step(open))?;
        let freed = eviction.freed - before;
        self.freed += freed;
        match next {
            Next::Step => self.eviction = Some(eviction),
            Next::NoRoom => self.lengthen(AMPLE_BYTES)?,
            Next::Done => tracing::info!(
                entries = eviction.deleted,
                bytes = eviction.freed,
                "the embedded store has reached HEADROOM_MAX_STORE_BYTES: what was used longest ago is deleted"
            ),
        }
        Ok(freed)
    }

    /// Compacts the file if that has much to gain and nobody has used the store for so long. A file that is too large, because its bound
    /// was lowered, loses entries first.
    fn compact_if_idle(&mut self, idle: Duration) -> Result<(), Broken> {
        while self.access.is_idle_for(idle) && self.requests.is_empty() {
            let freed = self.freed;
            let (len, max_bytes) =
                self.with_open(|open| Ok((open.length.bytes(), open.length.max_bytes())))?;
            if !room::worth_compacting(len, max_bytes, freed) {
                return Ok(());
            }
            if len > max_bytes {
                self.eviction = Some(self.with_open(Eviction::begin)?);
                self.make_room(u64::MAX)?;
            }
            let after = self.compact()?;
            tracing::info!(
                before = len,
                after,
                "the embedded store's file was compacted"
            );
            if after >= len {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Makes the file as long as it may be, but longer by so many bytes at least. It is closed for everybody else meanwhile: some
    /// milliseconds.
    fn lengthen(&self, at_least_by: u64) -> Result<(), Broken> {
        let Some(open) = self.access.close("it is being made longer") else {
            return Err(Broken("it is closed".to_owned()));
        };
        catch_unwind(AssertUnwindSafe(|| self.access.lengthen(open, at_least_by)))
            .unwrap_or_else(|_| Err(PANICKED.to_owned()))
            .map_err(Broken)
    }

    /// Compacts the file, while it is closed for everybody else. Returns its length.
    fn compact(&mut self) -> Result<u64, Broken> {
        let Some(mut open) = self.access.close("it is being compacted") else {
            return Err(Broken("it is closed".to_owned()));
        };
        self.freed = 0;
        let compacted = catch_unwind(AssertUnwindSafe(|| {
            open.length.lift_bound(true);
            let compacted = open.database.compact();
            compacted.map_err(|error| error.to_string())?;
            open.length.lift_bound(false);
            let len = open.length.bytes();
            if open.length.may_double() {
                self.access.reopen_with(open);
            } else {
                // Not a page of it is free now.
                self.access.lengthen(open, 0)?;
            }
            Ok(len)
        }));
        compacted
            .unwrap_or_else(|_| Err(PANICKED.to_owned()))
            .map_err(Broken)
    }

    /// Gives the open file to `work`. The database may panic on a damaged file.
    fn with_open<T>(
        &self,
        work: impl FnOnce(&Open) -> Result<T, redb::Error>,
    ) -> Result<T, Broken> {
        match self
            .access
            .with(|open| catch_unwind(AssertUnwindSafe(|| work(open))))
        {
            Ok(Ok(Ok(done))) => Ok(done),
            Ok(Ok(Err(error))) => Err(Broken(error.to_string())),
            Ok(Err(_)) => Err(Broken(PANICKED.to_owned())),
            Err(away) => Err(Broken(away.to_string())),
        }
    }

    /// Where the database is broken, refuses what waits, and opens the file anew once that can be done.
    fn heal(&mut self, outcome: Result<(), Broken>, batch: &mut Vec<Waiting>) {
        let Err(Broken(reason)) = outcome else {
            return;
        };
        self.eviction = None;
        self.freed = 0;
        let access = Arc::clone(&self.access);
        let closed = access.close(&reason);
        refuse(batch, |_| StoreError::away(WRITING, reason.clone()));
        // What the database does when it is closed may panic, too.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(closed)));
        let mut refuse_for = |time| refuse_for(&self.timer, &mut self.requests, &access, time);
        reopen::reopen(&access, &reason, &mut self.delays, &mut refuse_for);
    }
}

const PANICKED: &str = "the database panicked: its file may be damaged";

/// Refuses requests that came before it was known that the file is closed, for so long. `false` when the store was dropped meanwhile.
fn refuse_for(
    timer: &Runtime,
    requests: &mut mpsc::Receiver<Request>,
    access: &Access,
    time: Duration,
) -> bool {
    let refusing = async {
        while let Some(request) = requests.recv().await {
            if let Err(away) = access.with(|_| ()) {
                let _ = request.done.send(Err(away));
            }
        }
    };
    timer.block_on(async { tokio::time::timeout(time, refusing).await.is_err() })
}

/// How many bytes have to become free for these changes.
fn wanted(batch: &[Waiting]) -> u64 {
    let blocks = batch.iter().map(|waiting| match &waiting.change {
        Change::Write(entries) => entries
            .iter()
            .map(|entry| room::block(entry.value.len()))
            .sum(),
        Change::Touch(_)
        | Change::RemoveProvisional(_)
        | Change::Sweep(_)
        | Change::Check
        | Change::Sync => 0,
    });
    RESERVE_BYTES + blocks.sum::<u64>()
}

fn answer(batch: &mut Vec<Waiting>, done: Committed) {
    for (waiting, outcome) in batch.drain(..).zip(done.outcomes) {
        // Nobody waits any more: the change is made all the same.
        let _ = waiting.done.send(Ok(outcome));
    }
}

fn refuse(batch: &mut Vec<Waiting>, error: impl Fn(&Waiting) -> StoreError) {
    for waiting in batch.drain(..) {
        let error = error(&waiting);
        let _ = waiting.done.send(Err(error));
    }
}
