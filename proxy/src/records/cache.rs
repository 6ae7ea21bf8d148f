//! The local cache: what this process has lately read or written, bounded in bytes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom_shared::contract::id::{FormId, PrefixId};
use headroom_shared::contract::record::SentRecord;
use quick_cache::Weighter;
use quick_cache::sync::Cache as Bounded;

use crate::scan::Scan;

/// Bytes of records that are kept, about.
const RECORD_BYTES: u64 = 16 << 20;
/// Bytes of forms that are kept.
const FORM_BYTES: u64 = 64 << 20;
/// How many conversations are remembered by their openings.
const OPENINGS: usize = 4096;

#[derive(Debug)]
pub(super) struct Cache {
    records: Bounded<PrefixId, Held, Weights>,
    forms: Bounded<FormId, Bytes, Weights>,
    openings: Bounded<PrefixId, ()>,
    /// Held while a record is changed by what it was.
    change: Mutex<()>,
}

/// A record, and what this process knows of it in the store.
#[derive(Debug, Clone)]
struct Held {
    record: Arc<SentRecord>,
    /// Whether the store has it.
    stored: bool,
    /// Whether it was found there, made by another process or by this one before it forgot.
    found: bool,
    /// When this process last gave it a full life there.
    touched: Option<Instant>,
}

#[derive(Debug, Clone)]
struct Weights;

impl Weighter<PrefixId, Held> for Weights {
    fn weight(&self, _: &PrefixId, held: &Held) -> u64 {
        160 + 64 * held.record.forms.len() as u64
    }
}

impl Weighter<FormId, Bytes> for Weights {
    fn weight(&self, _: &FormId, text: &Bytes) -> u64 {
        64 + text.len() as u64
    }
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            records: Bounded::with_weighter(1024, RECORD_BYTES, Weights),
            forms: Bounded::with_weighter(1024, FORM_BYTES, Weights),
            openings: Bounded::new(OPENINGS),
            change: Mutex::new(()),
        }
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record, and whether its maker may yet take its forms back: it was found before its request was answered, and may have
    /// reached the store so late that the originals went out.
    pub(super) fn record(&self, prefix: PrefixId) -> Option<(Arc<SentRecord>, bool)> {
        let Held { record, found, .. } = self.records.get(&prefix)?;
        let may_be_withdrawn = found && record.usage.is_none() && !record.forms.is_empty();
        Some((record, may_be_withdrawn))
    }

    /// Keeps a record of this process's own making.
    pub(super) fn keep_record(&self, prefix: PrefixId, record: SentRecord) -> Arc<SentRecord> {
        self.put(
            prefix,
            Held {
                record: Arc::new(record),
                stored: false,
                found: false,
                touched: None,
            },
        )
    }

    /// Keeps a record that was found in the store.
    pub(super) fn found_record(&self, prefix: PrefixId, record: SentRecord) -> Arc<SentRecord> {
        self.put(
            prefix,
            Held {
                record: Arc::new(record),
                stored: true,
                found: true,
                touched: None,
            },
        )
    }

    /// Keeps a record unless a later revision of it is there, together with what the one that was there knew, and gives what is
    /// there afterwards.
    fn put(&self, prefix: PrefixId, mut new: Held) -> Arc<SentRecord> {
        let _alone = self.alone();
        if let Some(held) = self.records.get(&prefix) {
            if held.record.rev > new.record.rev {
                return held.record;
            }
            new.touched = held.touched;
            new.found |= held.found;
            if held.record.rev == new.record.rev {
                let merged = SentRecord::clone(&new.record).merged(&held.record);
                new.stored &= merged == *new.record;
                new.record = Arc::new(merged);
            }
        }
        let record = new.record.clone();
        self.records.insert(prefix, new);
        record
    }

    /// Notes that the store has these records, each with a full life.
    pub(super) fn stored<'a>(&self, records: impl Iterator<Item = &'a (PrefixId, SentRecord)>) {
        let _alone = self.alone();
        for (prefix, record) in records {
            if let Some(held) = self.records.get(prefix)
                && *held.record == *record
            {
                let touched = Some(Instant::now());
                self.records.insert(
                    *prefix,
                    Held {
                        stored: true,
                        touched,
                        ..held
                    },
                );
            }
        }
    }

    /// Notes that these records have just been given a full life.
    pub(super) fn touched(&self, prefixes: impl Iterator<Item = PrefixId>) {
        let _alone = self.alone();
        for prefix in prefixes {
            if let Some(held) = self.records.get(&prefix) {
                let touched = Some(Instant::now());
                self.records.insert(prefix, Held { touched, ..held });
            }
        }
    }

    /// Those of the records that did not reach the store, as they are now.
    pub(super) fn unstored(
        &self,
        chain: &[(PrefixId, Arc<SentRecord>)],
    ) -> Vec<(PrefixId, SentRecord)> {
        let held = chain
            .iter()
            .filter_map(|(prefix, _)| Some((*prefix, self.records.get(prefix)?)));
        let unstored = held.filter(|(_, held)| !held.stored);
        unstored
            .map(|(prefix, held)| (prefix, SentRecord::clone(&held.record)))
            .collect()
    }

    pub(super) fn form(&self, id: FormId) -> Option<Bytes> {
        self.forms.get(&id)
    }

    pub(super) fn keep_form(&self, id: FormId, text: Bytes) {
        self.forms.insert(id, text);
    }

    /// Notes that the conversation of a request was looked up.
    pub(super) fn note_opening(&self, scan: &Scan) {
        if let Some(opening) = scan.opening() {
            self.openings.insert(opening, ());
        }
    }

    /// Whether a conversation that opens so was looked up lately.
    pub(super) fn knows_opening(&self, opening: PrefixId) -> bool {
        self.openings.get(&opening).is_some()
    }

    /// Those of the records that were last given a full life longer ago than `after`, or by another process.
    pub(super) fn due(
        &self,
        chain: &[(PrefixId, Arc<SentRecord>)],
        after: Duration,
    ) -> Vec<(PrefixId, Arc<SentRecord>)> {
        let fresh = |prefix: &PrefixId| {
            let touched = self.records.get(prefix).and_then(|held| held.touched);
            touched.is_some_and(|touched| touched.elapsed() < after)
        };
        chain
            .iter()
            .filter(|(prefix, _)| !fresh(prefix))
            .cloned()
            .collect()
    }
}
