//! The sent records that one request makes or changes.

use std::collections::BTreeMap;

use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::record::{CacheUsage, SentRecord};
use headroom_shared::store::Entry;

use super::landing;
use crate::records::{self, Known};
use crate::scan::{Block, CacheLife, Scan};

/// The records that a request on its way changes: its own, and that of a deferred prefix it goes on from, which must know how
/// long the provider's cache of it may live and whether thinking is bound to it.
#[derive(Debug, Clone)]
pub(crate) struct TurnRecord {
    sent_ms: u64,
    own: PrefixId,
    /// The conversation's opening, where the request goes beyond it.
    pub(crate) opened: Option<PrefixId>,
    pub(crate) records: Vec<(PrefixId, SentRecord)>,
}

impl TurnRecord {
    /// The records of a request that goes out at `now_ms`; `None` for a request without messages.
    pub(crate) fn open(scan: &Scan, known: &Known, now_ms: u64) -> Option<Self> {
        let mut turn = Self::observing(scan, known, now_ms)?;
        let own = scan.whole()?;
        if turn.records.iter().all(|(prefix, _)| *prefix != own) {
            let again = known.last().filter(|_| known.frozen == scan.messages.len());
            let record = again.cloned().unwrap_or_else(|| SentRecord {
                v: 1,
                rev: 0,
                start: u32::try_from(known.frozen).unwrap_or(u32::MAX),
                forms: BTreeMap::new(),
                sent_ms: now_ms,
                warm_until_ms: 0,
                waiting: false,
                bound: false,
                lost: known.lost,
                usage: None,
            });
            turn.records.push((own, seen(record, scan, now_ms)));
        }
        if let Some(own) = turn.own() {
            own.sent_ms = now_ms;
            own.usage = None;
        }
        Some(turn)
    }

    /// The records of a request that is sent in the original whatever was sent before: it has none of its own, but the
    /// provider's cache takes note of it. `None` for a request without messages.
    pub(crate) fn observing(scan: &Scan, known: &Known, now_ms: u64) -> Option<Self> {
        let own = scan.whole()?;
        let waiting = known.waiting.as_ref().map(|waiting| {
            (
                waiting.prefix,
                seen(SentRecord::clone(&waiting.record), scan, now_ms),
            )
        });
        Some(Self {
            sent_ms: now_ms,
            own,
            opened: scan.opening().filter(|opening| *opening != own),
            records: waiting.into_iter().collect(),
        })
    }

    /// When the request goes out: milliseconds since 1970.
    pub(crate) const fn sent_ms(&self) -> u64 {
        self.sent_ms
    }

    /// The record of this request, if it has one.
    pub(crate) fn own(&mut self) -> Option<&mut SentRecord> {
        self.record(self.own)
    }

    /// The record of `prefix`, if the request changes it.
    pub(crate) fn record(&mut self, prefix: PrefixId) -> Option<&mut SentRecord> {
        let mut records = self.records.iter_mut();
        records
            .find(|(known, _)| *known == prefix)
            .map(|(_, record)| record)
    }

    /// The records as entries of the store.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        records::entries(&self.records, self.opened)
    }

    /// Takes back what was noted since `before`. It may have reached the store all the same, so a record that had changed gets
    /// a higher revision.
    pub(crate) fn withdraw(&mut self, before: Self) {
        let noted = std::mem::replace(self, before);
        for ((_, record), (_, noted)) in self.records.iter_mut().zip(&noted.records) {
            if record != noted {
                record.rev += 2;
            }
        }
    }

    /// Whether other replicas, or this one after a kill, could go wrong without these records before the answer has ended. They
    /// can't where a record goes on from another and there is no new block that it could tell of.
    pub(crate) fn others_must_know(&self, scan: &Scan) -> bool {
        let tells_nothing = |(prefix, record): &(PrefixId, SentRecord)| {
            let new = |block: &Block| block.place.message >= record.start;
            *prefix == self.own && record.start > 0 && !scan.blocks.last().is_some_and(new)
        };
        !self.records.iter().all(tells_nothing)
    }

    /// Puts one record in place of all: that the conversation is lost.
    pub(crate) fn lose(&mut self) {
        let rev = self.own().map_or(0, |record| record.rev);
        let lost = SentRecord {
            v: 1,
            // Above what the request was noted with, and even: nothing has landed.
            rev: (rev | 1) + 1,
            start: 0,
            forms: BTreeMap::new(),
            sent_ms: self.sent_ms,
            warm_until_ms: 0,
            waiting: false,
            bound: true,
            lost: true,
            usage: None,
        };
        self.records = vec![(self.own, lost)];
    }

    /// Notes what the answer said of the provider's cache.
    pub(crate) fn answered(&mut self, usage: CacheUsage, cache: CacheLife) {
        let own = self.own;
        for (prefix, record) in &mut self.records {
            if *prefix == own {
                record.usage = Some(usage);
            }
            if cache == CacheLife::None && !usage.is_none() {
                // It was cached without a marker: by whose rules is not known, so for as long as any.
                let until = self.sent_ms.saturating_add(landing::UNKNOWN_LIFE_MS);
                record.warm_until_ms = record.warm_until_ms.max(until);
            }
        }
    }
}

/// A record after a request that begins with its prefix has gone out.
fn seen(mut record: SentRecord, scan: &Scan, now_ms: u64) -> SentRecord {
    let warm_until_ms = landing::warm_until_ms(scan.cache, now_ms);
    record.warm_until_ms = record.warm_until_ms.max(warm_until_ms);
    record.bound |= landing::binds(scan);
    record
}
