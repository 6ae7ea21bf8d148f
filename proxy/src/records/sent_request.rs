//! A request that went out: its records are cached at once, completed by what the response says of the provider's cache, and written to the
//! store when the response has ended.

use std::sync::Arc;

use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::record::{CacheUsage, SentRecord};

use crate::plan::FinalPlan;
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::record_updates::RecordUpdates;
use crate::records::{PendingWrite, Records};
use crate::scan::{CacheLife, Scan};

/// A request that went out. When it is dropped, its response has ended or been given up, and its records go to the store.
#[derive(Debug)]
pub(crate) struct SentRequest {
    records: Arc<Records>,
    updates: RecordUpdates,
    cache: CacheLife,
    /// The records that it continues.
    chain: Vec<(PrefixId, Arc<SentRecord>)>,
}

impl SentRequest {
    /// Notes that a request goes out now by this plan: its records and new forms are kept in the local cache, and the records go to the
    /// store at once where others must know them before the response has ended.
    pub(crate) fn new(
        records: &Arc<Records>,
        plan: FinalPlan,
        scan: &Scan,
        known: KnownPrefix,
    ) -> Self {
        for (at, form) in plan.newly_compressed {
            records.cache_form(form.id, scan.blocks[at].id, form.text.into());
        }
        if !known.complete {
            records.note_unrecorded(scan, plan.record_updates.sent_ms());
        }
        let mut sent = Self {
            records: Arc::clone(records),
            updates: plan.record_updates,
            cache: scan.cache,
            chain: known.chain,
        };
        sent.cache_records();
        if plan.is_stored {
            records.mark_stored(&sent.updates.records);
        } else if sent.updates.must_be_stored_early(scan) {
            let (updated, chain) = (sent.updates.records.clone(), sent.chain.clone());
            records.enqueue_write(sent.pending_write(updated, chain), true);
        }
        sent
    }

    /// Notes that the provider refused the thinking in it, and took it in the original with such thinking dropped: so the
    /// conversation goes on, here and on every replica.
    pub(crate) fn mark_lost(mut self) -> Self {
        self.updates.mark_lost();
        self.cache_records();
        self.chain.clear();
        let write = self.pending_write(self.updates.records.clone(), Vec::new());
        self.records.enqueue_write(write, true);
        self
    }

    /// Notes what the response said of the provider's cache: here at once, because the next request may come before the store has it.
    pub(crate) fn note_usage(mut self, usage: Option<CacheUsage>) {
        if let Some(usage) = usage {
            self.updates.note_usage(usage, self.cache);
            self.cache_records();
        }
    }

    /// Keeps the records in the local cache, so that the next request knows them, and takes over what others noted there.
    fn cache_records(&mut self) {
        for (prefix, record) in &mut self.updates.records {
            let merged = self.records.cache_record(*prefix, record.clone());
            *record = SentRecord::clone(&merged);
        }
    }

    const fn pending_write(
        &self,
        records: Vec<(PrefixId, SentRecord)>,
        chain: Vec<(PrefixId, Arc<SentRecord>)>,
    ) -> PendingWrite {
        PendingWrite {
            opened: self.updates.opened,
            records,
            chain,
        }
    }
}

impl Drop for SentRequest {
    fn drop(&mut self) {
        let records = std::mem::take(&mut self.updates.records);
        let chain = std::mem::take(&mut self.chain);
        self.records
            .enqueue_write(self.pending_write(records, chain), false);
    }
}
