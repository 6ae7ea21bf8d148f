//! A request that went out: its records are kept here, told what the answer says, and brought to the store beside it.

use std::sync::Arc;

use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::record::{CacheUsage, SentRecord};

use crate::plan::Settled;
use crate::plan::turn_record::TurnRecord;
use crate::records::{Known, Records, TurnRecords};
use crate::scan::{CacheLife, Scan};

/// A request that went out. When it is dropped, its answer has ended or been given up, and its records go to the store.
#[derive(Debug)]
pub(crate) struct SentTurn {
    records: Arc<Records>,
    record: TurnRecord,
    cache: CacheLife,
    /// The records that it went on from.
    chain: Vec<(PrefixId, Arc<SentRecord>)>,
}

impl SentTurn {
    /// Notes that a request goes out now: its records are kept in the local cache, and brought to the store where others must know
    /// them before its answer has ended.
    pub(crate) fn new(
        records: &Arc<Records>,
        (record, is_stored): (TurnRecord, bool),
        scan: &Scan,
        known: Known,
    ) -> Self {
        let mut turn = Self {
            records: Arc::clone(records),
            record,
            cache: scan.cache,
            chain: known.chain,
        };
        turn.keep();
        if is_stored {
            records.written(&turn.record.records);
        } else if turn.record.others_must_know(scan) {
            let left = turn.left_behind(turn.record.records.clone(), turn.chain.clone());
            records.write_later(left, true);
        }
        turn
    }

    /// The same for a request whose plan is settled; its new forms are kept, too.
    pub(crate) fn of(records: &Arc<Records>, settled: Settled, scan: &Scan, known: Known) -> Self {
        for form in settled.entered {
            records.keep_form(form.id, form.text.into());
        }
        if !known.sure {
            records.note_unsure_request(scan, settled.record.sent_ms());
        }
        Self::new(records, (settled.record, settled.is_stored), scan, known)
    }

    /// Notes that the provider refused the thinking in it, and took it in the original with such thinking dropped: so the
    /// conversation goes on, here and on every replica.
    pub(crate) fn lost(mut self) -> Self {
        self.record.lose();
        self.keep();
        self.chain.clear();
        let left = self.left_behind(self.record.records.clone(), Vec::new());
        self.records.write_later(left, true);
        self
    }

    /// Notes what the answer said of the provider's cache: here at once, because the next turn may come before the store has it.
    pub(crate) fn answered(mut self, usage: Option<CacheUsage>) {
        if let Some(usage) = usage {
            self.record.answered(usage, self.cache);
            self.keep();
        }
    }

    /// Keeps the records in the local cache, so that the next request knows them, and takes over what others noted there.
    fn keep(&mut self) {
        for (prefix, record) in &mut self.record.records {
            *record = SentRecord::clone(&self.records.keep(*prefix, record.clone()));
        }
    }

    /// What the request leaves behind.
    const fn left_behind(
        &self,
        records: Vec<(PrefixId, SentRecord)>,
        chain: Vec<(PrefixId, Arc<SentRecord>)>,
    ) -> TurnRecords {
        TurnRecords {
            opened: self.record.opened,
            records,
            chain,
        }
    }
}

impl Drop for SentTurn {
    fn drop(&mut self) {
        let records = std::mem::take(&mut self.record.records);
        let chain = std::mem::take(&mut self.chain);
        self.records
            .write_later(self.left_behind(records, chain), false);
    }
}
