//! Writes what waits to the store, in the background: records, originals, a full life for what accepted requests have used, and the removal of what
//! refused ones have left.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::prefix::CompressedPrefix;
use headroom_shared::contract::record::SentRecord;
use headroom_shared::store::{Entry, Key, Life};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{PendingWrite, Records};
use crate::plan::record_updates::{opened_entry, record_entry};

impl Records {
    /// Has a request's records written to the store, and with them those before them that did not reach it: at once where that is
    /// `urgent`, else soon, together with others.
    pub(crate) fn enqueue_write(&self, write: PendingWrite, urgent: bool) {
        self.write_queue.push(write, urgent);
    }

    /// Writes what is enqueued to the store until `stop`, and then what remains. No batch waits for one before it that the store does not
    /// take: what another replica must not do may depend on it.
    pub(crate) async fn run_writer(self: Arc<Self>, stop: CancellationToken) {
        let mut writing = JoinSet::new();
        while stop
            .run_until_cancelled(self.write_queue.batch_ready())
            .await
            .is_some()
        {
            let records = self.clone();
            writing.spawn(async move { records.flush_writes().await });
            while writing.try_join_next().is_some() {}
        }
        self.flush_writes().await;
        writing.join_all().await;
    }

    /// Writes all that is enqueued to the store.
    pub(super) async fn flush_writes(&self) {
        let (writes, originals) = (self.write_queue.drain(), self.write_queue.drain_originals());
        self.write_records(&writes).await;
        // Now, because a request may have been refused while its records were written.
        self.remove_refused(&writes).await;
        self.renew_used(&writes).await;
        self.renew_originals(originals).await;
    }

    async fn write_records(&self, writes: &[PendingWrite]) {
        // Of a record that changed in between, the last state counts.
        let mut records: HashMap<PrefixId, (SentRecord, Life)> = HashMap::new();
        let mut opened: HashMap<PrefixId, Life> = HashMap::new();
        for write in writes.iter().filter(|write| !write.is_refused()) {
            let unstored = self.cache.unstored(&write.chain);
            for (prefix, record) in unstored.into_iter().chain(write.records.iter().cloned()) {
                let before = records.get(&prefix).map(|(_, life)| *life);
                records.insert(
                    prefix,
                    (record, write.life.max(before.unwrap_or(write.life))),
                );
            }
            if let Some(opening) = write.opened {
                let life = opened.entry(opening).or_insert(write.life);
                *life = write.life.max(*life);
            }
        }
        if records.is_empty() {
            return;
        }
        let opened_entries = opened.iter();
        let opened_entries =
            opened_entries.map(|(opening, life)| opened_entry(*opening).with_life(*life));
        let entries = records.iter().filter_map(|(prefix, (record, life))| {
            Some(record_entry(*prefix, record)?.with_life(*life))
        });
        let entries: Vec<Entry> = opened_entries.chain(entries).collect();
        match self.store.write(&entries).await {
            Ok(()) => {
                for (prefix, (record, life)) in &records {
                    self.cache.mark_stored(*prefix, record, *life);
                }
                let accepted = opened.into_iter().filter(|(_, life)| *life == Life::Full);
                accepted.for_each(|(opening, _)| self.cache.note_opened(opening));
            }
            Err(error) => {
                tracing::debug!(%error, "could not write sent records: they are tried again with the next turn");
            }
        }
    }

    /// Deletes what refused requests have left in the store, unless accepted ones have used it since.
    async fn remove_refused(&self, writes: &[PendingWrite]) {
        let refused: Vec<&PendingWrite> = writes.iter().filter(|it| it.is_refused()).collect();
        let mut keys: HashSet<Key> = self.result_keys(&refused).await.into_iter().collect();
        for write in &refused {
            keys.extend(write.opened.map(Key::Opened));
            keys.extend(write.new_records().map(|(prefix, _)| Key::Sent(*prefix)));
            // An original may be another request's, too, whose response has not ended: it expires by itself.
            let forms = write.forms.iter();
            keys.extend(forms.filter(|key| !matches!(key, Key::Original(_))));
        }
        let keys: Vec<Key> = keys.into_iter().collect();
        if let Err(error) = self.store.remove_provisional(&keys).await {
            tracing::debug!(%error, "could not delete what a refused request has left: it expires by itself");
        }
    }

    /// Gives the records and forms that accepted requests have used a full life, where that is due, and writes those again that are gone:
    /// another request may have left them, and was refused.
    async fn renew_used(&self, writes: &[PendingWrite]) {
        let accepted = writes
            .iter()
            .filter(|write| write.life == Life::Full && !write.is_refused());
        let accepted: Vec<&PendingWrite> = accepted.collect();
        let mut keys: HashSet<Key> = self.result_keys(&accepted).await.into_iter().collect();
        let mut used: HashMap<PrefixId, Arc<SentRecord>> = HashMap::new();
        for write in &accepted {
            keys.extend(&write.forms);
            let due = self.cache.to_touch(&write.chain, self.touch_after);
            if !due.is_empty() {
                keys.extend(write.opened.map(Key::Opened));
            }
            used.extend(due);
        }
        for (prefix, record) in &used {
            keys.insert(Key::Sent(*prefix));
            keys.extend(record.waiting.then_some(Key::Compressed(*prefix)));
            keys.extend(record.forms.values().map(|form| Key::Form(*form)));
        }
        let keys: Vec<Key> = keys.into_iter().collect();
        let touched_at = Instant::now();
        // Their records have a full life since they were written, but what they name has not.
        let written = || {
            let records = accepted.iter().flat_map(|write| &write.records);
            records.map(|(prefix, _)| *prefix)
        };
        let Ok(exist) = self.store.touch(&keys).await else {
            self.cache.mark_due(written());
            return;
        };
        let found = keys.iter().zip(&exist).filter(|(_, exists)| **exists);
        let originals = found.filter_map(|(key, _)| match key {
            Key::Original(original) => Some(*original),
            _ => None,
        });
        self.cache.mark_renewed(originals, touched_at);
        let gone = keys.iter().zip(exist).filter(|(_, exists)| !exists);
        let entries: Vec<Entry> = gone
            .filter_map(|(key, _)| self.known_entry(*key, &used))
            .collect();
        if self.store.write(&entries).await.is_ok() {
            self.cache.mark_touched(used.into_keys());
        } else {
            self.cache.mark_due(written());
        }
    }

    /// The entry of this key, as far as this process knows it.
    fn known_entry(&self, key: Key, records: &HashMap<PrefixId, Arc<SentRecord>>) -> Option<Entry> {
        match key {
            Key::Sent(prefix) => record_entry(prefix, records.get(&prefix)?),
            Key::Opened(opening) => Some(opened_entry(opening)),
            Key::Form(form) => {
                let text = self.cache.form_text(form)?;
                Some(Entry::without_revisions(key, text))
            }
            Key::Compressed(_) | Key::SentForm(_) | Key::Original(_) | Key::Totals => None,
        }
    }

    /// The keys of the results that workers have stored for cold starts among these requests.
    async fn result_keys(&self, writes: &[&PendingWrite]) -> Vec<Key> {
        let new_records = writes.iter().flat_map(|write| write.new_records());
        let keys: Vec<Key> = new_records
            .filter(|(_, record)| record.waiting)
            .map(|(prefix, _)| Key::Compressed(*prefix))
            .collect();
        let results = self.store.read(&keys).await.unwrap_or_default();
        let forms = |result: &Bytes| {
            let result: Option<CompressedPrefix> = serde_json::from_slice(result).ok();
            let blocks = result.into_iter().flat_map(|result| result.blocks);
            blocks
                .map(|block| Key::Form(block.form))
                .collect::<Vec<Key>>()
        };
        let forms: Vec<Key> = results.iter().flatten().flat_map(forms).collect();
        keys.into_iter().chain(forms).collect()
    }
}
