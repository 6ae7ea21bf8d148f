//! The store of a simulation: a map in memory.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::id::{FormId, PrefixId};
use headroom_shared::contract::prefix::JobResult;
use headroom_shared::store::{Entry, Key};
use serde::de::DeserializeOwned;

use crate::plan::known_prefix::KnownPrefix;
use crate::records::opening_keys;
use crate::scan::Scan;

/// Values with their revisions.
#[derive(Debug, Default)]
pub(super) struct MemoryStore(HashMap<Key, (u32, Bytes)>);

impl MemoryStore {
    /// Writes entries, but not over those of a higher revision.
    pub(super) fn write(&mut self, entries: &[Entry]) {
        for entry in entries {
            let held = self.0.entry(entry.key).or_default();
            if held.0 <= entry.rev {
                *held = (entry.rev, entry.value.clone());
            }
        }
    }

    /// Keeps what a worker makes of a prefix.
    pub(super) fn keep(&mut self, prefix: PrefixId, result: JobResult) {
        let forms = result.forms.into_iter();
        let forms = forms.map(|form| (Key::Form(form.id), form.text.into()));
        let compressed = serde_json::to_vec(&result.compressed).unwrap_or_default();
        let compressed = (Key::Compressed(prefix), compressed.into());
        let entries = forms.chain([compressed]);
        self.0.extend(entries.map(|(key, text)| (key, (0, text))));
    }

    pub(super) fn get(&self, key: Key) -> Option<&Bytes> {
        self.0.get(&key).map(|(_, value)| value)
    }

    /// The texts of these forms, as far as they are there.
    pub(super) fn texts(&self, forms: impl IntoIterator<Item = FormId>) -> HashMap<FormId, Bytes> {
        let text = |form| Some((form, self.get(Key::Form(form))?.clone()));
        forms.into_iter().filter_map(text).collect()
    }

    /// What is known of a request's prefix.
    pub(super) fn known(&self, scan: &Scan) -> KnownPrefix {
        let record = |prefix| Some((Arc::new(self.read(Key::Sent(prefix))?), false));
        let mut known = KnownPrefix::of_records(scan, record);
        known.texts = self.texts(known.forms.values().copied());
        for waiting in known.deferred.iter_mut().chain(&mut known.tail) {
            waiting.compressed = self.read(Key::Compressed(waiting.prefix));
        }
        known
    }

    /// Whether nothing is known of the conversation whose beginning this is.
    pub(super) fn is_new(&self, begun: &Scan) -> bool {
        let keys = opening_keys(begun);
        !keys.is_empty() && keys.into_iter().all(|key| self.get(key).is_none())
    }

    fn read<T: DeserializeOwned>(&self, key: Key) -> Option<T> {
        serde_json::from_slice(self.get(key)?).ok()
    }
}
