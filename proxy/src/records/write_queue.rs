//! Records and originals that wait to be written to the store, in batches and without any request waiting for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::record::SentRecord;
use headroom_shared::store::{Entry, Key, Life};
use tokio::sync::Notify;

/// How long records that are not urgent are gathered into one batch.
const BATCH_DELAY: Duration = Duration::from_millis(100);
/// How many requests' records may wait. Above it a request's records stay in the local cache alone, until the session's next request.
const CAPACITY: usize = 4096;
/// How many originals may wait. Those beyond it are renewed with a later request.
const MAX_ORIGINALS: usize = 4096;

/// The records of one request that are to be written, and what else is in the store of it.
#[derive(Debug)]
pub(crate) struct PendingWrite {
    /// The conversation's opening, where the request goes beyond it.
    pub(crate) opened: Option<PrefixId>,
    pub(crate) records: Vec<(PrefixId, SentRecord)>,
    /// The records that the request continues.
    pub(crate) chain: Vec<(PrefixId, Arc<SentRecord>)>,
    /// The keys of the forms that it was first to use, and of the blocks that were sent in them: in the store already.
    pub(crate) forms: Vec<Key>,
    /// How long the records live: a provisional life until the request has ended.
    pub(crate) life: Life,
    /// Whether the provider has refused the request: then nothing is written of it, and what was written goes. It may be refused while
    /// this waits.
    pub(crate) refused: Arc<AtomicBool>,
}

impl PendingWrite {
    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::SeqCst)
    }

    /// The records that were not there before the request.
    pub(super) fn new_records(&self) -> impl Iterator<Item = &(PrefixId, SentRecord)> {
        let records = self.records.iter();
        records.filter(|(prefix, _)| !is_in(*prefix, &self.chain))
    }
}

/// Whether one of the records that a request continues is that of this prefix.
pub(super) fn is_in(prefix: PrefixId, chain: &[(PrefixId, Arc<SentRecord>)]) -> bool {
    chain.iter().any(|(continued, _)| *continued == prefix)
}

/// The writes that wait.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    writes: Mutex<Vec<PendingWrite>>,
    /// Originals that later requests carry, by their keys.
    originals: Mutex<HashMap<Key, Entry>>,
    pushed: Notify,
    urgent: Notify,
}

impl WriteQueue {
    pub(super) fn push(&self, write: PendingWrite, urgent: bool) {
        {
            let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
            if writes.len() >= CAPACITY {
                return;
            }
            writes.push(write);
        }
        if urgent {
            self.urgent.notify_one();
        }
        self.pushed.notify_one();
    }

    /// Adds originals. Each holds its request's body until it is taken.
    pub(super) fn push_originals(&self, originals: Vec<Entry>) {
        if originals.is_empty() {
            return;
        }
        {
            let mut waiting = self.lock_originals();
            let room = MAX_ORIGINALS.saturating_sub(waiting.len());
            let originals = originals.into_iter().take(room);
            waiting.extend(originals.map(|entry| (entry.key, entry)));
        }
        self.pushed.notify_one();
    }

    /// Waits until there is a batch to write: at once after an urgent write, [`BATCH_DELAY`] after any other.
    pub(super) async fn batch_ready(&self) {
        self.pushed.notified().await;
        // A timeout is no failure: the batch is complete then.
        let _ = tokio::time::timeout(BATCH_DELAY, self.urgent.notified()).await;
    }

    /// Takes all originals that wait.
    pub(super) fn drain_originals(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.lock_originals())
            .into_values()
            .collect()
    }

    fn lock_originals(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.originals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all writes that wait.
    pub(super) fn drain(&self) -> Vec<PendingWrite> {
        std::mem::take(&mut *self.writes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
