//! The originals of shortened texts, as later requests carry them: they are given a full life again, and written again where the store has
//! lost them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom_shared::contract::id::OriginalId;
use headroom_shared::store::{Entry, Key};

use super::Records;
use crate::plan::known_prefix::KnownPrefix;
use crate::scan::Scan;

/// How many originals are written at once.
const BATCH: usize = 64;
/// After how long an original is renewed again at the latest, when it is used: a store that is full may have deleted it, and the agent may ask
/// for it at any time.
const RENEW_AFTER: Duration = Duration::from_secs(10 * 60);

impl Records {
    /// Has the originals of what was sent shortened in a request's prefix renewed in the background, where that is due; `body` carries
    /// their texts.
    pub(crate) fn enqueue_originals(&self, body: &Bytes, scan: &Scan, known: &KnownPrefix) {
        if !known.complete {
            return;
        }
        let after = self.touch_after.min(RENEW_AFTER);
        let mut due = self.cache.originals_to_renew(&known.originals, after);
        if due.is_empty() {
            return;
        }
        let blocks = scan.blocks.iter();
        let of_block = blocks.map(|block| (OriginalId::of(block.id), block.span.clone()));
        // The same text may stand in several blocks.
        let due = of_block.filter(|(original, _)| due.remove(original));
        self.write_queue.push_originals(body, due);
    }

    /// Gives these originals a full life, and writes those that the store has lost. What fails is due again with the next request that
    /// uses it.
    pub(super) async fn renew_originals(&self, originals: HashMap<OriginalId, Bytes>) {
        if originals.is_empty() {
            return;
        }
        let keys: Vec<Key> = originals.keys().copied().map(Key::Original).collect();
        let touched_at = Instant::now();
        let exist = match self.store.touch(&keys).await {
            Ok(exist) => exist,
            Err(error) => {
                tracing::debug!(%error, "could not renew the originals of shortened texts: it is tried again with the next request that uses them");
                return;
            }
        };
        let (found, gone): (Vec<_>, Vec<_>) = originals
            .into_iter()
            .zip(exist)
            .partition(|(_, exists)| *exists);
        let found = found.into_iter().map(|((original, _), _)| original);
        self.cache.mark_renewed(found, touched_at);
        let gone: Vec<(OriginalId, Bytes)> = gone.into_iter().map(|(gone, _)| gone).collect();
        for batch in gone.chunks(BATCH) {
            let entries = batch.iter().map(|(original, text)| {
                Entry::without_revisions(Key::Original(*original), text.clone())
            });
            let entries: Vec<Entry> = entries.collect();
            let written_at = Instant::now();
            if let Err(error) = self.store.write(&entries).await {
                tracing::debug!(%error, "could not write originals of shortened texts again: it is tried again with the next request that uses them");
                return;
            }
            let written = batch.iter().map(|(original, _)| *original);
            self.cache.mark_renewed(written, written_at);
        }
    }
}
