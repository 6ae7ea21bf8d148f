//! The sent records that one request adds or changes.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use headroom_shared::contract::bill::Bill;
use headroom_shared::contract::id::{FormId, PrefixId};
use headroom_shared::contract::job::Place;
use headroom_shared::contract::record::SentRecord;
use headroom_shared::contract::usage::Usage;
use headroom_shared::store::{Entry, Key, Life};

use super::known_prefix::KnownPrefix;
use super::landing::{self, caches};
use crate::scan::{Block, CacheLife, Scan};

/// The records that a request changes: its own, and those of deferred prefixes it goes on from, which must know how long the provider's
/// cache of it may live and whether thinking is bound to it.
#[derive(Debug, Clone)]
pub(crate) struct RecordUpdates {
    sent_ms: u64,
    /// The prefix that is the whole request.
    request: PrefixId,
    /// The conversation's opening, where the request goes beyond it.
    pub(crate) opened: Option<PrefixId>,
    pub(crate) records: Vec<(PrefixId, SentRecord)>,
}

impl RecordUpdates {
    /// The records of a request that goes out at `now_ms`; `None` for a request without messages.
    pub(crate) fn with_own_record(scan: &Scan, known: &KnownPrefix, now_ms: u64) -> Option<Self> {
        let mut updates = Self::without_own_record(scan, known, now_ms)?;
        let request = updates.request;
        if updates.own_record().is_none() {
            let record = own_record(scan, known, now_ms);
            updates.records.push((request, used(record, scan, now_ms)));
        }
        if let Some(own) = updates.own_record() {
            own.sent_ms = now_ms;
            own.usage = None;
        }
        Some(updates)
    }

    /// The records of a request that leaves none of its own; the provider's cache still takes note of it. `None` for a request without
    /// messages.
    pub(crate) fn without_own_record(
        scan: &Scan,
        known: &KnownPrefix,
        now_ms: u64,
    ) -> Option<Self> {
        let request = scan.full_prefix()?;
        let left = known.deferred.iter().chain(&known.tail);
        let followed: Vec<_> = left
            .map(|left| {
                let record = SentRecord::clone(&left.record);
                let mut record = used(record, scan, now_ms);
                let times = (now_ms, landing::warm_until_ms(scan.cache, now_ms));
                record.caches = caches::after(record.caches, scan, known.latest_record(), times);
                if record.tail && left.prefix == request {
                    // What it reads from the cache may be what it has left there itself.
                    record.caches = None;
                }
                (left.prefix, record)
            })
            .collect();
        let oldest = known.oldest_to_follow();
        let oldest = oldest.filter(|(prefix, _)| {
            let is_followed = followed.iter().any(|(followed, _)| followed == prefix);
            *prefix != request && !is_followed
        });
        let oldest = oldest.map(|(prefix, record)| {
            let record = SentRecord::clone(record);
            (*prefix, used(record, scan, now_ms))
        });
        Some(Self {
            sent_ms: now_ms,
            request,
            opened: scan.opening().filter(|opening| *opening != request),
            records: followed.into_iter().chain(oldest).collect(),
        })
    }

    /// Notes that the request's prefix is left to a worker, or new blocks of it.
    pub(crate) fn defer(&mut self, scan: &Scan) {
        let sent_ms = self.sent_ms;
        if let Some(own) = self.own_record() {
            own.waiting = true;
            own.caches = caches::first(scan, sent_ms, own.warm_until_ms);
        }
    }

    /// Notes that the request's prefix is compressed anew. What was sent before may be alive in the provider's cache for as long as each of the
    /// requests before may have made it.
    pub(crate) fn await_refresh(&mut self, known: &KnownPrefix) {
        let chain = known.chain.iter().map(|(_, record)| record.warm_until_ms);
        if let Some(own) = self.own_record() {
            own.waiting = true;
            own.warm_until_ms = chain.fold(own.warm_until_ms, u64::max);
        }
    }

    /// Notes that new blocks of the request are left to a worker alone.
    pub(crate) fn await_tail(&mut self, scan: &Scan) {
        self.defer(scan);
        if let Some(own) = self.own_record() {
            own.tail = true;
        }
    }

    /// Notes for how many tokens of the request's new blocks no form was looked for.
    pub(crate) fn note_untried(&mut self, tokens: u64) {
        if let Some(own) = self.own_record() {
            // Sent once more after an error, it has no new blocks.
            own.untried = own.untried.max(tokens);
        }
    }

    /// When the request goes out: milliseconds since 1970.
    pub(crate) const fn sent_ms(&self) -> u64 {
        self.sent_ms
    }

    /// The record of this request, if it has one.
    pub(crate) fn own_record(&mut self) -> Option<&mut SentRecord> {
        self.record(self.request)
    }

    /// The record of `prefix`, if the request changes it.
    pub(crate) fn record(&mut self, prefix: PrefixId) -> Option<&mut SentRecord> {
        let mut records = self.records.iter_mut();
        records
            .find(|(changed, _)| *changed == prefix)
            .map(|(_, record)| record)
    }

    /// The records as entries of the store.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let opened = self.opened.into_iter().map(opened_entry);
        let records = self.records.iter();
        let records = records.filter_map(|(prefix, record)| record_entry(*prefix, record));
        opened.chain(records).collect()
    }

    /// Takes back what was changed since `before`. It may have reached the store all the same, so a record that had changed gets a higher
    /// revision.
    pub(crate) fn roll_back(&mut self, before: Self) {
        let changed = std::mem::replace(self, before);
        for ((_, record), (_, changed)) in self.records.iter_mut().zip(&changed.records) {
            if record != changed {
                record.rev += 2;
            }
        }
    }

    /// Whether these records must reach the store before the response has ended, because other replicas, or this one after a kill, could
    /// go wrong without them. They can't where a record continues another and there is no new block that it could tell of.
    pub(crate) fn must_be_stored_early(&self, scan: &Scan) -> bool {
        let adds_nothing = |(prefix, record): &(PrefixId, SentRecord)| {
            let new = |block: &Block| block.place.message >= record.start;
            if *prefix == self.request {
                record.start > 0 && !scan.blocks.last().is_some_and(new)
            } else {
                !record.waiting
            }
        };
        !self.records.iter().all(adds_nothing)
    }

    /// Replaces all records by one: that the conversation is lost.
    pub(crate) fn mark_lost(&mut self) {
        let rev = self.own_record().map_or(0, |record| record.rev);
        let lost = SentRecord {
            v: 1,
            // Above what the request was noted with, and even: nothing has landed.
            rev: (rev | 1) + 1,
            start: 0,
            forms: BTreeMap::new(),
            originals: BTreeSet::new(),
            sent_ms: self.sent_ms,
            warm_until_ms: 0,
            caches: None,
            waiting: false,
            tail: false,
            untried: 0,
            bound: true,
            lost: true,
            usage: None,
            bill: None,
        };
        self.records = vec![(self.request, lost)];
    }

    /// Notes what the request cost.
    pub(crate) fn note_bill(&mut self, bill: Bill) {
        if let Some(own) = self.own_record() {
            own.bill = Some(bill);
        }
    }

    /// Notes what the response says of the provider's cache.
    pub(crate) fn note_usage(&mut self, usage: Usage, cache: CacheLife) {
        let request = self.request;
        for (prefix, record) in &mut self.records {
            if *prefix == request {
                record.usage = Some(usage);
            }
            if cache == CacheLife::None && !usage.is_uncached() {
                // It was cached without a marker: by whose rules is not known, so for as long as any.
                let until = self.sent_ms.saturating_add(landing::UNKNOWN_LIFE_MS);
                record.warm_until_ms = record.warm_until_ms.max(until);
                record.caches = None;
            }
        }
    }
}

/// The record of a request before anything new is chosen for it.
fn own_record(scan: &Scan, known: &KnownPrefix, now_ms: u64) -> SentRecord {
    let resent = known.frozen == scan.messages.len();
    let latest = known.latest_record().filter(|_| resent);
    let mut record = latest.cloned().unwrap_or_else(|| SentRecord {
        v: 1,
        rev: 0,
        start: u32::try_from(known.frozen).unwrap_or(u32::MAX),
        forms: BTreeMap::new(),
        originals: BTreeSet::new(),
        sent_ms: now_ms,
        warm_until_ms: 0,
        caches: None,
        waiting: false,
        tail: false,
        untried: 0,
        bound: false,
        lost: known.lost,
        usage: None,
        bill: None,
    });
    if let Some(gap) = known.gap {
        // It repeats what it continues: whoever finds later what is missing now must not take that for what was sent.
        let start = u32::try_from(gap).unwrap_or(u32::MAX);
        record.start = start;
        record.forms = forms_from(known, start);
        record.originals.extend(&known.originals);
        record.rev += if latest.is_some() { 2 } else { 0 };
    }
    record
}

/// A record after a request that begins with its prefix has gone out.
fn used(mut record: SentRecord, scan: &Scan, now_ms: u64) -> SentRecord {
    let warm_until_ms = landing::warm_until_ms(scan.cache, now_ms);
    record.warm_until_ms = record.warm_until_ms.max(warm_until_ms);
    record.bound |= landing::binds(scan);
    record
}

/// The forms that go out for the known blocks from this message on.
fn forms_from(known: &KnownPrefix, start: u32) -> BTreeMap<Place, FormId> {
    let forms = known.forms.iter();
    let forms =
        forms.filter(|(place, form)| place.message >= start && known.texts.contains_key(form));
    forms.map(|(place, form)| (*place, *form)).collect()
}

/// A record as an entry of the store.
pub(crate) fn record_entry(prefix: PrefixId, record: &SentRecord) -> Option<Entry> {
    Some(Entry {
        key: Key::Sent(prefix),
        rev: record.rev,
        value: Bytes::from(record.to_stored(prefix).ok()?),
        life: Life::Full,
    })
}

/// The entry that tells of records beyond this opening.
pub(crate) fn opened_entry(opening: PrefixId) -> Entry {
    Entry::without_revisions(Key::Opened(opening), Bytes::from_static(b"1"))
}
