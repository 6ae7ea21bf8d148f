//! The sent record of one request: made when it goes out, told what the answer says, and written while the upstream works.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_shared::id::PrefixId;
use headroom_shared::record::{CacheUsage, SentRecord};
use headroom_shared::store::Entry;
use tokio::sync::oneshot;

use crate::landing;
use crate::memory::{Known, Memory, record_entries};
use crate::scan::{CacheLife, Scan};

/// The records that a request on its way changes: its own, and that of a deferred prefix it goes on from, which must know how
/// long the provider's cache of it may live and whether thinking is bound to it.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    memory: Arc<Memory>,
    /// Whether the records as they are now stand in the store.
    stored: bool,
    sent_ms: u64,
    own: PrefixId,
    records: Vec<(PrefixId, SentRecord)>,
}

impl Ledger {
    /// The records of a request that goes out at `now_ms`; `None` for a request without messages.
    pub(crate) fn open(
        memory: Arc<Memory>,
        scan: &Scan,
        known: &Known,
        now_ms: u64,
    ) -> Option<Self> {
        let mut ledger = Self::observing(memory, scan, known, now_ms)?;
        let own = scan.whole()?;
        if ledger.records.iter().all(|(prefix, _)| *prefix != own) {
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
                usage: None,
            });
            ledger.records.push((own, seen(record, scan, now_ms)));
        }
        if let Some(own) = ledger.own() {
            own.sent_ms = now_ms;
            own.usage = None;
        }
        Some(ledger)
    }

    /// The records of a request that is sent in the original whatever was sent before: it has none of its own, but the
    /// provider's cache takes note of it. `None` for a request without messages.
    pub(crate) fn observing(
        memory: Arc<Memory>,
        scan: &Scan,
        known: &Known,
        now_ms: u64,
    ) -> Option<Self> {
        let own = scan.whole()?;
        let waiting = known.waiting.as_ref().map(|waiting| {
            (
                waiting.prefix,
                seen(SentRecord::clone(&waiting.record), scan, now_ms),
            )
        });
        Some(Self {
            memory,
            stored: false,
            sent_ms: now_ms,
            own,
            records: waiting.into_iter().collect(),
        })
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
        record_entries(&self.records)
    }

    /// Notes that the records stand in the store as they are.
    pub(crate) const fn stored(&mut self) {
        self.stored = true;
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

    /// Keeps the records in the local cache, so that the next request knows them, and takes over what others noted there.
    pub(crate) fn keep(&mut self) {
        for (prefix, record) in &mut self.records {
            *record = SentRecord::clone(&self.memory.keep(*prefix, record.clone()));
        }
    }

    /// Brings the records to the store: while the upstream works where others must know them, and when the answer has said what it
    /// thinks of them.
    pub(crate) async fn follow(
        mut self,
        cache: CacheLife,
        known: Known,
        answer: oneshot::Receiver<Option<CacheUsage>>,
    ) {
        let begun = self.clone();
        let at_once = begun.stored || begun.others_must_know();
        let begin = async {
            if begun.stored {
                begun.memory.written(&begun.records);
            } else if at_once {
                begun.write(&known).await;
            }
        };
        // The next turn may come before a slow store has the records of this one: it finds here what the answer said.
        let listen = async {
            let told = answer.await;
            if let Ok(Some(usage)) = told {
                self.answered(usage, cache);
                self.keep();
            }
            matches!(told, Ok(Some(_)))
        };
        let (answered, ()) = tokio::join!(listen, begin);
        if answered || !at_once {
            self.write(&known).await;
        }
        self.memory.touch(&known).await;
    }

    /// Whether other replicas, or this one after a kill, would go wrong without these records before the answer has ended. A
    /// record that goes on from another and tells of no form says what they take for granted: new blocks were sent in the
    /// original.
    fn others_must_know(&self) -> bool {
        let takes_for_granted = |(prefix, record): &(PrefixId, SentRecord)| {
            *prefix == self.own && record.start > 0 && !record.waiting && record.forms.is_empty()
        };
        !self.records.iter().all(takes_for_granted)
    }

    async fn write(&self, known: &Known) {
        if let Err(error) = self.memory.write_records(&self.records, &known.chain).await {
            tracing::debug!(%error, "could not write a sent record: it is tried again with the next turn");
        }
    }

    /// Notes what the answer said of the provider's cache.
    fn answered(&mut self, usage: CacheUsage, cache: CacheLife) {
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
