//! The sent record of one request: made when it goes out, told what the answer says, and written while the upstream works.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::id::PrefixId;
use headroom_shared::record::{CacheUsage, SentRecord};
use headroom_shared::store::{Entry, Key};
use tokio::sync::oneshot;

use crate::landing;
use crate::memory::{Known, Memory};
use crate::scan::{CacheLife, Scan};

/// The record of a request on its way, and the deferred record it goes on from.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    memory: Arc<Memory>,
    /// Whether the records as they are now stand in the store.
    stored: bool,
    own: (PrefixId, SentRecord),
    /// The record of a prefix that has not landed: it must know how long the provider's cache of it may live.
    waiting: Option<(PrefixId, SentRecord)>,
}

impl Ledger {
    /// The record of a request that goes out at `now_ms`; `None` for a request without messages.
    pub(crate) fn open(
        memory: Arc<Memory>,
        scan: &Scan,
        known: &Known,
        now_ms: u64,
    ) -> Option<Self> {
        let prefix = scan.whole()?;
        let warm_until_ms = landing::warm_until_ms(scan.cache, now_ms);
        let again = known.last().filter(|_| known.frozen == scan.messages.len());
        let mut record = again.cloned().unwrap_or_else(|| SentRecord {
            v: 1,
            rev: 0,
            start: u32::try_from(known.frozen).unwrap_or(u32::MAX),
            forms: BTreeMap::new(),
            sent_ms: now_ms,
            warm_until_ms,
            waiting: false,
            usage: None,
        });
        record.sent_ms = now_ms;
        record.warm_until_ms = record.warm_until_ms.max(warm_until_ms);
        record.usage = None;
        let waiting = known
            .waiting
            .as_ref()
            .filter(|waiting| waiting.prefix != prefix)
            .map(|waiting| {
                let mut record = SentRecord::clone(&waiting.record);
                record.warm_until_ms = record.warm_until_ms.max(warm_until_ms);
                (waiting.prefix, record)
            });
        Some(Self {
            memory,
            stored: false,
            own: (prefix, record),
            waiting,
        })
    }

    /// The record of this request.
    pub(crate) fn own(&mut self) -> &mut SentRecord {
        &mut self.own.1
    }

    /// The record of `prefix`, which is this request's or the waiting one.
    pub(crate) fn record(&mut self, prefix: PrefixId) -> Option<&mut SentRecord> {
        let waiting = self
            .waiting
            .as_mut()
            .map(|(waiting, record)| (*waiting, record));
        let own = (self.own.0, &mut self.own.1);
        std::iter::once(own)
            .chain(waiting)
            .find(|(known, _)| *known == prefix)
            .map(|(_, record)| record)
    }

    /// The records as entries of the store.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let records = std::iter::once(&self.own).chain(&self.waiting);
        let entry = |(prefix, record): &(PrefixId, SentRecord)| {
            let value = Bytes::from(serde_json::to_vec(record).ok()?);
            Some(Entry {
                key: Key::Sent(*prefix),
                rev: record.rev,
                value,
            })
        };
        records.filter_map(entry).collect()
    }

    /// Notes that the records stand in the store as they are.
    pub(crate) const fn stored(&mut self) {
        self.stored = true;
    }

    /// Takes back what was noted since `before`. It may have reached the store all the same, so a record that had changed gets
    /// a higher revision.
    pub(crate) fn withdraw(&mut self, before: Self) {
        let noted = std::mem::replace(self, before);
        let records = std::iter::once(&mut self.own).chain(&mut self.waiting);
        let noted = std::iter::once(&noted.own).chain(&noted.waiting);
        for ((_, record), (_, noted)) in records.zip(noted) {
            if record != noted {
                record.rev += 2;
            }
        }
    }

    /// Keeps the records in the local cache, so that the next request knows them.
    pub(crate) fn keep(&self) {
        for (prefix, record) in std::iter::once(&self.own).chain(&self.waiting) {
            self.memory.keep(*prefix, record.clone());
        }
    }

    /// Brings the records to the store while the upstream works, and again when the answer has said what it thinks of them.
    pub(crate) async fn follow(
        mut self,
        cache: CacheLife,
        known: Known,
        answer: oneshot::Receiver<Option<CacheUsage>>,
    ) {
        if !self.stored {
            self.write().await;
        }
        if let Ok(Some(usage)) = answer.await {
            self.answered(usage, cache);
            self.keep();
            self.write().await;
        }
        self.memory.touch(&known).await;
    }

    async fn write(&self) {
        if let Err(error) = self.memory.store().write(&self.entries()).await {
            tracing::debug!(%error, "could not write a sent record: the next turn may be sent uncompressed");
        }
    }

    /// Notes what the answer said of the provider's cache.
    fn answered(&mut self, usage: CacheUsage, cache: CacheLife) {
        let (_, own) = &mut self.own;
        own.usage = Some(usage);
        if cache == CacheLife::None && !usage.is_none() {
            // It was cached without a marker: by whose rules is not known, so for as long as any.
            let until = own.sent_ms.saturating_add(landing::UNKNOWN_LIFE_MS);
            own.warm_until_ms = own.warm_until_ms.max(until);
            if let Some((_, waiting)) = &mut self.waiting {
                waiting.warm_until_ms = waiting.warm_until_ms.max(until);
            }
        }
    }
}
