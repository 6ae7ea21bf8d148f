//! The story that the records at a request's boundaries tell together.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::id::{FormId, PrefixId};
use headroom_shared::contract::job::Place;
use headroom_shared::contract::prefix::CompressedPrefix;
use headroom_shared::contract::record::SentRecord;

use super::SentUnsure;
use super::found::{Found, link};
use crate::scan::Scan;

/// What is known of a request's prefix.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Whether the store has answered, and keeps what it is given; if not, there may be more than this.
    pub(crate) sure: bool,
    /// How many messages were sent before: the length of the longest prefix with a sent record.
    pub(crate) frozen: usize,
    /// What of the request this process has sent since, without any record of it.
    pub(crate) sent_unsure: SentUnsure,
    /// The form of each block among them that was sent compressed.
    pub(crate) forms: HashMap<Place, FormId>,
    /// The texts of those forms, as far as they were found.
    pub(crate) texts: HashMap<FormId, Bytes>,
    /// The records, longest prefix first.
    pub(crate) chain: Vec<(PrefixId, Arc<SentRecord>)>,
    /// Whether the conversation is lost: the provider holds its thinking to forms that are not known any more.
    pub(crate) lost: bool,
    /// The compressed prefix that has not landed, if there is one.
    pub(crate) waiting: Option<Waiting>,
}

/// A prefix that was deferred and has not landed.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    /// The prefix.
    pub(crate) prefix: PrefixId,
    /// Its sent record.
    pub(crate) record: Arc<SentRecord>,
    /// A worker's result, if there is one yet.
    pub(crate) compressed: Option<CompressedPrefix>,
}

impl Known {
    /// What the records that `local` gives tell of a request; there are no others.
    pub(crate) fn of_records(
        scan: &Scan,
        local: impl Fn(PrefixId) -> Option<(Arc<SentRecord>, bool)>,
    ) -> Self {
        Self::of(scan, &Found::of(scan, local), true)
    }

    pub(super) fn of(scan: &Scan, found: &Found, sure: bool) -> Self {
        let mut known = Self {
            sure,
            ..Self::default()
        };
        let mut next = found.records.last_key_value().map(|(last, _)| *last);
        known.frozen = next.map_or(0, |last| last + 1);
        // Where a record is gone, the one before it goes on with the story; what only the lost one knew counts as sent in the
        // original.
        while let Some((last, record)) =
            next.and_then(|last| found.records.range(..=last).next_back())
        {
            let prefix = scan.messages[*last].boundary;
            known
                .forms
                .extend(record.forms.iter().map(|(place, form)| (*place, *form)));
            known.chain.push((prefix, record.clone()));
            if record.start == 0 && record.waiting {
                let record = record.clone();
                known.waiting = Some(Waiting {
                    prefix,
                    record,
                    compressed: None,
                });
            }
            next = link(*last, record);
        }
        known.lost = known.last().is_some_and(|record| record.lost);
        if known.lost {
            known.forms.clear();
            known.waiting = None;
        }
        known
    }

    /// How many blocks were sent in forms whose texts are gone.
    pub(crate) fn missing_texts(&self) -> u64 {
        let missing = self
            .forms
            .values()
            .filter(|form| !self.texts.contains_key(form));
        missing.count() as u64
    }

    /// The record of the longest known prefix.
    pub(crate) fn last(&self) -> Option<&SentRecord> {
        self.chain.first().map(|(_, record)| record.as_ref())
    }
}
