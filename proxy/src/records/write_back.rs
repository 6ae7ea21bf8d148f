//! Writes what the local cache holds to a store that may lack some of it, without taking back what other processes have written there.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::id::{FormId, PrefixId};
use headroom_shared::contract::record::SentRecord;
use headroom_shared::store::{Entry, Key, Life, Store, StoreError};

use super::cache::Cache;
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::record_updates::{opened_entry, record_entry};
use crate::scan::Scan;

/// How many entries are compared and written at once.
const BATCH: usize = 256;

/// What is known here, and a store may lack.
#[derive(Debug)]
pub(super) struct Known {
    forms: Vec<Entry>,
    records: Vec<KnownRecord>,
    opened: Vec<Entry>,
}

/// A record, and how long it is to live.
type KnownRecord = (PrefixId, Arc<SentRecord>, Life);

impl Known {
    /// All that the local cache holds: its records, and the forms that they name.
    pub(super) fn all(cache: &Cache) -> Self {
        let records = cache.records();
        let mut forms: HashMap<FormId, Life> = HashMap::new();
        for (_, record, life) in &records {
            for form in record.forms.values() {
                let longest = forms.entry(*form).or_insert(*life);
                *longest = *life.max(longest);
            }
        }
        let forms = forms.into_iter();
        let forms = forms.filter_map(|(id, life)| {
            Some(Entry::without_revisions(Key::Form(id), cache.form_text(id)?).with_life(life))
        });
        Self {
            forms: forms.collect(),
            opened: cache.opened().map(opened_entry).collect(),
            records,
        }
    }

    /// The records that the local cache holds.
    pub(super) fn all_records(cache: &Cache) -> Self {
        Self {
            forms: Vec::new(),
            records: cache.records(),
            opened: Vec::new(),
        }
    }

    /// What is known of one request's prefix.
    pub(super) fn of_prefix(scan: &Scan, known: &KnownPrefix) -> Self {
        let texts = known.texts.iter();
        let records = known.chain.iter();
        let opening = scan.opening().filter(|_| !known.chain.is_empty());
        Self {
            forms: texts
                .map(|(id, text)| Entry::without_revisions(Key::Form(*id), text.clone()))
                .collect(),
            records: records
                .map(|(prefix, record)| (*prefix, record.clone(), Life::Full))
                .collect(),
            opened: opening.into_iter().map(opened_entry).collect(),
        }
    }
}

/// Writes what the store lacks of it. Gives how many entries it has lost: those of requests under way may not have reached it yet, and records
/// of which it knew less are not counted.
///
/// # Errors
/// When the store can't be reached or is full.
pub(super) async fn write_back(
    store: &dyn Store,
    cache: &Cache,
    known: &Known,
) -> Result<usize, StoreError> {
    let mut lost = 0;
    // Forms first: whoever finds a record finds its forms.
    for batch in known.forms.chunks(BATCH) {
        lost += write_missing(store, batch).await?;
    }
    for batch in known.records.chunks(BATCH) {
        lost += write_records(store, cache, batch).await?;
    }
    for batch in known.opened.chunks(BATCH) {
        lost += write_missing(store, batch).await?;
    }
    Ok(lost)
}

/// Writes those of these entries that are not there.
async fn write_missing(store: &dyn Store, batch: &[Entry]) -> Result<usize, StoreError> {
    let keys: Vec<Key> = batch.iter().map(|entry| entry.key).collect();
    let lives = store.lives(&keys).await?;
    let missing = batch.iter().zip(lives).filter(|(_, life)| life.is_none());
    let missing: Vec<Entry> = missing.map(|(entry, _)| entry.clone()).collect();
    store.write(&missing).await?;
    let lost = missing.iter().filter(|entry| entry.life == Life::Full);
    Ok(lost.count())
}

/// Writes what these records know that the store's do not, and keeps what those know besides.
async fn write_records(
    store: &dyn Store,
    cache: &Cache,
    batch: &[KnownRecord],
) -> Result<usize, StoreError> {
    let keys: Vec<Key> = batch
        .iter()
        .map(|(prefix, ..)| Key::Sent(*prefix))
        .collect();
    let found = store.read(&keys).await?;
    let is_lost = |((.., life), found): &(&KnownRecord, &Option<Bytes>)| {
        *life == Life::Full && found.is_none()
    };
    let lost = batch.iter().zip(&found).filter(is_lost).count();
    let mut updated = Vec::new();
    for ((prefix, own, life), found) in batch.iter().zip(found) {
        let found = found.and_then(|found| SentRecord::from_stored(*prefix, &found).ok());
        if let Some(found) = &found {
            cache.insert_read(*prefix, found.clone());
        }
        if let Some(record) = restored(own, found) {
            updated.extend(record_entry(*prefix, &record).map(|entry| entry.with_life(*life)));
        }
    }
    store.write(&updated).await?;
    Ok(lost)
}

/// The record to write in place of what was found, if that knows less.
fn restored(own: &SentRecord, found: Option<SentRecord>) -> Option<SentRecord> {
    let Some(found) = found else {
        return Some(own.clone());
    };
    if found.rev != own.rev {
        return (found.rev < own.rev).then(|| own.clone());
    }
    let merged = found.clone().merged(own);
    (merged != found).then_some(merged)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn record(rev: u32, warm_until_ms: u64) -> SentRecord {
        SentRecord {
            v: 1,
            rev,
            start: 0,
            forms: BTreeMap::new(),
            originals: BTreeSet::new(),
            sent_ms: 0,
            warm_until_ms,
            caches: None,
            waiting: false,
            tail: false,
            untried: 0,
            bound: false,
            lost: false,
            usage: None,
            bill: None,
        }
    }

    #[test]
    fn what_the_store_knows_besides_is_kept() {
        let own = record(2, 50);
        for (found, expected) in [
            (None, Some(own.clone())),
            (Some(record(0, 90)), Some(own.clone())),
            (Some(record(3, 10)), None),
            (Some(record(2, 90)), None),
            (Some(record(2, 10)), Some(own.clone())),
        ] {
            assert_eq!(restored(&own, found.clone()), expected, "{found:?}");
        }
        let mut bound = record(2, 90);
        bound.bound = true;
        assert_eq!(restored(&bound, Some(own)).unwrap(), bound);
    }
}
