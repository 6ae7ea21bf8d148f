//! The originals of shortened texts, as later requests carry them: they are given a full life again, and written again where the store has
//! lost them.

use std::collections::HashSet;

use bytes::Bytes;
use headroom_shared::contract::id::OriginalId;
use headroom_shared::store::{Entry, Key};

use super::Records;
use crate::plan::known_prefix::KnownPrefix;
use crate::scan::Scan;

/// How many originals are written at once.
const BATCH: usize = 64;

impl Records {
    /// Has the originals of what was sent shortened in a request's prefix renewed in the background, where that is due; `body` carries
    /// their texts.
    pub(crate) fn enqueue_originals(&self, body: &Bytes, scan: &Scan, known: &KnownPrefix) {
        if known.originals.is_empty() || !known.complete {
            return;
        }
        let due = self.cache.to_touch(&known.chain, self.touch_after);
        let due: HashSet<OriginalId> = due
            .iter()
            .flat_map(|(_, record)| record.originals.iter().copied())
            .collect();
        let blocks = scan.blocks.iter();
        let of_block = blocks.map(|block| (OriginalId::of(block.id), block));
        let due = of_block.filter(|(original, _)| due.contains(original));
        let entries = due.map(|(original, block)| {
            Entry::without_revisions(Key::Original(original), body.slice(block.span.clone()))
        });
        self.write_queue.push_originals(entries.collect());
    }

    /// Gives these originals a full life, and writes those that the store has lost.
    pub(super) async fn renew_originals(&self, originals: &[Entry]) {
        if originals.is_empty() {
            return;
        }
        let keys: Vec<Key> = originals.iter().map(|entry| entry.key).collect();
        let exist = match self.store.touch(&keys).await {
            Ok(exist) => exist,
            Err(error) => {
                tracing::debug!(%error, "could not renew the originals of shortened texts: it is tried again with a later turn");
                return;
            }
        };
        let gone = originals.iter().zip(exist).filter(|(_, exists)| !exists);
        let gone: Vec<Entry> = gone.map(|(entry, _)| entry.clone()).collect();
        for batch in gone.chunks(BATCH) {
            if let Err(error) = self.store.write(batch).await {
                tracing::debug!(%error, "could not write originals of shortened texts again: it is tried again with a later turn");
                return;
            }
        }
    }
}
