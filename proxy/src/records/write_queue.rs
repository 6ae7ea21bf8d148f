//! Records and originals that wait to be written to the store, in batches and without any request waiting for it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use headroom_shared::contract::id::{OriginalId, PrefixId};
use headroom_shared::contract::record::SentRecord;
use headroom_shared::store::{Key, Life};
use tokio::sync::Notify;

/// How long records that are not urgent are gathered into one batch.
const BATCH_DELAY: Duration = Duration::from_millis(100);
/// How many requests' records may wait. Above it a request's records stay in the local cache alone, until the session's next request.
const CAPACITY: usize = 4096;
/// How many originals may wait. Those beyond it are renewed with a later request.
const MAX_ORIGINALS: usize = 4096;
/// Originals that are together at most one part in so many of their request's body wait as copies: for so little, the whole body is not to be
/// held until the store has answered.
const COPIED_PART: usize = 8;

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
    /// Originals that later requests carry, with their texts.
    originals: Mutex<HashMap<OriginalId, Bytes>>,
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

    /// Adds originals that do not wait yet, each by where it stands in the request's body, as far as there is room.
    pub(super) fn push_originals(
        &self,
        body: &Bytes,
        originals: impl Iterator<Item = (OriginalId, Range<usize>)>,
    ) {
        {
            let mut waiting = self.lock_originals();
            let room = MAX_ORIGINALS.saturating_sub(waiting.len());
            let new = originals.filter(|(original, _)| !waiting.contains_key(original));
            let new: Vec<(OriginalId, Range<usize>)> = new.take(room).collect();
            if new.is_empty() {
                return;
            }
            let bytes: usize = new.iter().map(|(_, span)| span.len()).sum();
            let are_copied = bytes <= body.len() / COPIED_PART;
            let text = |span: Range<usize>| match are_copied {
                true => Bytes::copy_from_slice(&body[span]),
                false => body.slice(span),
            };
            waiting.extend(
                new.into_iter()
                    .map(|(original, span)| (original, text(span))),
            );
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
    pub(super) fn drain_originals(&self) -> HashMap<OriginalId, Bytes> {
        std::mem::take(&mut *self.lock_originals())
    }

    fn lock_originals(&self) -> MutexGuard<'_, HashMap<OriginalId, Bytes>> {
        self.originals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all writes that wait.
    pub(super) fn drain(&self) -> Vec<PendingWrite> {
        std::mem::take(&mut *self.writes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn originals_that_are_small_against_their_body_do_not_hold_it() {
        let body = Bytes::from(vec![b'x'; 8000]);
        let originals = |count: u8, bytes: usize| {
            (0..count).map(move |at| {
                let id = format!("{at:016x}").parse::<OriginalId>().unwrap();
                (id, usize::from(at) * bytes..usize::from(at + 1) * bytes)
            })
        };
        for (count, bytes, is_held) in [(10, 100, false), (1, 1001, true), (10, 200, true)] {
            let queue = WriteQueue::default();
            queue.push_originals(&body, originals(count, bytes));
            assert_eq!(body.is_unique(), !is_held, "{count} of {bytes} bytes");
            let texts = queue.drain_originals();
            assert_eq!(texts.len(), usize::from(count));
            assert!(texts.values().all(|text| text.len() == bytes));
        }
    }
}
