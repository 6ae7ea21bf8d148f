//! The local cache: what this process has lately read or written, bounded in bytes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom_shared::id::{FormId, PrefixId};
use headroom_shared::record::SentRecord;
use quick_cache::Weighter;
use quick_cache::sync::Cache as Bounded;

/// Bytes of records that are kept, about.
const RECORD_BYTES: u64 = 16 << 20;
/// Bytes of forms that are kept.
const FORM_BYTES: u64 = 64 << 20;

#[derive(Debug)]
pub(super) struct Cache {
    records: Bounded<PrefixId, Held, Weights>,
    forms: Bounded<FormId, Bytes, Weights>,
    /// Held while a record is changed by what it was.
    change: Mutex<()>,
}

/// A record, and when it was last given a full life in the store by this process.
#[derive(Debug, Clone)]
struct Held {
    record: Arc<SentRecord>,
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
            change: Mutex::new(()),
        }
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn record(&self, prefix: PrefixId) -> Option<Arc<SentRecord>> {
        self.records.get(&prefix).map(|held| held.record)
    }

    /// Keeps a record unless a later revision of it is there, together with what the one that was there knew, and gives what is
    /// there afterwards.
    pub(super) fn keep_record(&self, prefix: PrefixId, record: Arc<SentRecord>) -> Arc<SentRecord> {
        let _alone = self.alone();
        let (record, touched) = match self.records.get(&prefix) {
            Some(held) if held.record.rev > record.rev => (held.record, held.touched),
            Some(held) if held.record.rev == record.rev => {
                let merged = SentRecord::clone(&record).merged(&held.record);
                (Arc::new(merged), held.touched)
            }
            Some(held) => (record, held.touched),
            None => (record, None),
        };
        self.records.insert(
            prefix,
            Held {
                record: record.clone(),
                touched,
            },
        );
        record
    }

    /// Notes that these records have just been given a full life.
    pub(super) fn touched(&self, prefixes: impl Iterator<Item = PrefixId>) {
        let _alone = self.alone();
        for prefix in prefixes {
            if let Some(held) = self.records.get(&prefix) {
                self.records.insert(
                    prefix,
                    Held {
                        touched: Some(Instant::now()),
                        ..held
                    },
                );
            }
        }
    }

    pub(super) fn form(&self, id: FormId) -> Option<Bytes> {
        self.forms.get(&id)
    }

    pub(super) fn keep_form(&self, id: FormId, text: Bytes) {
        self.forms.insert(id, text);
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
