//! A request that went out: its records are cached at once, completed by what the response says of the provider's cache, and written to the
//! store when the response has ended. What the provider refuses leaves nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::record::SentRecord;
use headroom_shared::store::{Key, Life};

use crate::bill::OpenBill;
use crate::plan::FinalPlan;
use crate::plan::known_prefix::KnownPrefix;
use crate::plan::record_updates::RecordUpdates;
use crate::records::write_queue::is_in;
use crate::records::{PendingWrite, Records};
use crate::retrieval::ledger::LedgerEntry;
use crate::scan::{CacheLife, Scan};
use crate::totals::Observation;
use crate::usage::Outcome;

/// A request that went out. When it is dropped, its response has ended or been given up, and its records go to the store.
#[derive(Debug)]
pub(crate) struct SentRequest {
    records: Arc<Records>,
    updates: RecordUpdates,
    cache: CacheLife,
    /// The records that it continues.
    chain: Vec<(PrefixId, Arc<SentRecord>)>,
    /// The records that it changes, as they are cached.
    cached: Vec<(PrefixId, Arc<SentRecord>)>,
    /// The keys of its new forms in the store.
    forms: Vec<Key>,
    refused: Arc<AtomicBool>,
    bill: Option<OpenBill>,
    ledger: Option<LedgerEntry>,
    observation: Option<Observation>,
}

impl SentRequest {
    /// Notes that a request goes out now by this plan: its records and new forms are kept in the local cache, and the records go to the
    /// store at once where others must know them before the response has ended.
    pub(crate) fn new(
        records: &Arc<Records>,
        plan: FinalPlan,
        scan: &Scan,
        known: KnownPrefix,
        bill: impl Into<Option<OpenBill>>,
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
            cached: Vec::new(),
            forms: Vec::new(),
            refused: Arc::default(),
            bill: bill.into(),
            ledger: None,
            observation: None,
        };
        sent.cache_records();
        if !plan.stored.is_empty() {
            records.mark_stored(&sent.updates.records);
            let is_of_form =
                |key: &Key| matches!(key, Key::Form(_) | Key::SentForm(_) | Key::Original(_));
            sent.forms
                .extend(plan.stored.into_iter().filter(is_of_form));
        } else if sent.updates.must_be_stored_early(scan) {
            records.enqueue_write(sent.pending_write(Life::Provisional), true);
        }
        sent
    }

    /// The same, which adds this to the ledger unless the provider refuses it.
    pub(crate) fn with_ledger(mut self, ledger: LedgerEntry) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// The same, of which this is counted unless the provider refuses it.
    pub(crate) fn with_observation(mut self, observation: Option<Observation>) -> Self {
        self.observation = observation;
        self
    }

    /// Notes that the provider refused the thinking in it, and took it in the original with such thinking dropped: so the
    /// conversation goes on, here and on every replica.
    pub(crate) fn mark_lost(mut self) -> Self {
        self.updates.mark_lost();
        if let Some(bill) = &mut self.bill {
            bill.send_in_originals();
        }
        self.cache_records();
        self.chain.clear();
        self.records
            .enqueue_write(self.pending_write(Life::Full), true);
        self
    }

    /// Notes what became of it: here at once, because the next request may come before the store knows it.
    pub(crate) fn note_outcome(mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ended(Some(usage)) => {
                self.updates.note_usage(usage, self.cache);
                if let Some(bill) = self.bill.take().and_then(|bill| bill.close(usage)) {
                    self.updates.note_bill(bill);
                }
                self.cache_records();
            }
            Outcome::Ended(None) => {}
            Outcome::Refused => self.forget(),
        }
    }

    /// Forgets its new records, unless another request has changed them since.
    fn forget(&mut self) {
        self.refused.store(true, Ordering::SeqCst);
        for (prefix, record) in &self.cached {
            if !is_in(*prefix, &self.chain) {
                self.records.forget_record(*prefix, record);
            }
        }
    }

    /// Keeps the records in the local cache, so that the next request knows them, and takes over what others noted there.
    fn cache_records(&mut self) {
        self.cached.clear();
        for (prefix, record) in &mut self.updates.records {
            let merged = self.records.cache_record(*prefix, record.clone());
            *record = SentRecord::clone(&merged);
            self.cached.push((*prefix, merged));
        }
    }

    fn pending_write(&self, life: Life) -> PendingWrite {
        PendingWrite {
            opened: self.updates.opened,
            records: self.updates.records.clone(),
            chain: self.chain.clone(),
            forms: self.forms.clone(),
            life,
            refused: self.refused.clone(),
        }
    }
}

impl Drop for SentRequest {
    fn drop(&mut self) {
        let (ledger, observation) = (self.ledger.take(), self.observation.take());
        if !self.refused.load(Ordering::SeqCst) {
            ledger.into_iter().for_each(LedgerEntry::book);
            observation.into_iter().for_each(Observation::add);
        }
        let write = self.pending_write(Life::Full);
        self.records.enqueue_write(write, false);
    }
}
