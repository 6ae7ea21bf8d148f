//! What is known of a request's prefix: the planner's input, which `records/` reads from the local cache and the store.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::id::{FormId, PrefixId};
use headroom_shared::contract::job::Place;
use headroom_shared::contract::prefix::CompressedPrefix;
use headroom_shared::contract::record::SentRecord;

use crate::scan::Scan;

/// What is known of a request's prefix.
#[derive(Debug, Default)]
pub(crate) struct KnownPrefix {
    /// Whether this is all there is to know: the store has answered, and keeps what it is given.
    pub(crate) complete: bool,
    /// How many messages were sent before: the length of the longest prefix with a sent record.
    pub(crate) frozen: usize,
    /// Where a record between others, or the text of a form, is missing: how many messages are covered without a gap. What is missing counts
    /// as sent in the original.
    pub(crate) gap: Option<usize>,
    /// What of the request this process has sent since, without any record of it.
    pub(crate) unrecorded: Unrecorded,
    /// The form of each block among the frozen messages that was sent compressed.
    pub(crate) forms: HashMap<Place, FormId>,
    /// The texts of those forms, as far as they were found.
    pub(crate) texts: HashMap<FormId, Bytes>,
    /// The sent records, longest prefix first.
    pub(crate) chain: Vec<(PrefixId, Arc<SentRecord>)>,
    /// Whether the conversation is lost: the provider holds its thinking to forms that are not known any more.
    pub(crate) lost: bool,
    /// The prefix that was left to a worker and has not landed, if there is one.
    pub(crate) deferred: Option<DeferredPrefix>,
}

/// A prefix that was left to a worker and has not landed.
#[derive(Debug, Clone)]
pub(crate) struct DeferredPrefix {
    pub(crate) prefix: PrefixId,
    /// Its sent record.
    pub(crate) record: Arc<SentRecord>,
    /// The worker's result, if there is one yet.
    pub(crate) compressed: Option<CompressedPrefix>,
}

/// The longest prefix of a request that this process has sent without a record, because the store did not answer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unrecorded {
    /// Its messages.
    pub(crate) messages: usize,
    /// When the provider may last have cached some of it: milliseconds since 1970; 0 is never.
    pub(crate) at_ms: u64,
}

impl KnownPrefix {
    /// How many blocks were sent in forms whose texts are gone.
    pub(crate) fn missing_texts(&self) -> u64 {
        let missing = self
            .forms
            .values()
            .filter(|form| !self.texts.contains_key(form));
        missing.count() as u64
    }

    /// Notes that the records behind the first form whose text is missing cover no more than what is before it.
    pub(crate) fn note_missing_texts(&mut self) {
        let is_missing = |form| !self.texts.contains_key(form);
        let lacking = self.chain.iter().map(|(_, record)| record);
        let lacking = lacking.filter(|record| record.forms.values().any(is_missing));
        let first = lacking.map(|record| record.start as usize).min();
        self.gap = first.into_iter().chain(self.gap).min();
    }

    /// Whether the records tell how everything was sent to which the model has responded.
    pub(crate) fn covers_all_from_model(&self, scan: &Scan) -> bool {
        let responded = scan.last_from_model().map_or(0, |last| last + 1);
        self.gap.is_none() && self.frozen >= responded
    }

    /// The record of the longest known prefix.
    pub(crate) fn latest_record(&self) -> Option<&SentRecord> {
        self.chain.first().map(|(_, record)| record.as_ref())
    }
}
