//! What is known of a request's prefix: the planner's input, which `records/` reads from the local cache and the store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::id::{FormId, OriginalId, PrefixId};
use headroom_shared::contract::job::Place;
use headroom_shared::contract::prefix::{CompressedBlock, CompressedPrefix};
use headroom_shared::contract::record::SentRecord;
use headroom_shared::contract::tier::Tier;

use crate::scan::Scan;

/// What is known of a request's prefix.
#[derive(Debug, Default)]
pub(crate) struct KnownPrefix {
    /// Whether this is all there is to know: the store has answered, and keeps what it is given.
    pub(crate) complete: bool,
    /// How many messages were sent before: the length of the longest prefix with a sent record.
    pub(crate) frozen: usize,
    /// Where a record between others, or the text of a form, is missing, or a record is not certain: how many messages are covered before
    /// that. What is missing counts as sent in the original.
    pub(crate) gap: Option<usize>,
    /// What of the request this process has sent since, without any record of it.
    pub(crate) unrecorded: Unrecorded,
    /// The form of each block among the frozen messages that was sent compressed.
    pub(crate) forms: HashMap<Place, FormId>,
    /// The originals of those that were sent in a shortened form.
    pub(crate) originals: HashSet<OriginalId>,
    /// The texts of those forms, as far as they were found.
    pub(crate) texts: HashMap<FormId, Bytes>,
    /// The sent records, longest prefix first.
    pub(crate) chain: Vec<(PrefixId, Arc<SentRecord>)>,
    /// Whether the conversation is lost: the provider holds its thinking to forms that are not known any more.
    pub(crate) lost: bool,
    /// The prefix that was left to a worker and has not landed, if there is one.
    pub(crate) deferred: Option<DeferredPrefix>,
    /// The longest prefix some new blocks of which alone were left to a worker and have not landed, if there is one.
    pub(crate) tail: Option<DeferredPrefix>,
}

/// A prefix that was left to a worker, or some new blocks of it, and has not landed.
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

    /// The text of the form that a block was sent in, if it was found.
    pub(crate) fn sent_text(&self, place: Place) -> Option<&Bytes> {
        self.texts.get(self.forms.get(&place)?)
    }

    /// Notes a gap at the first record that names a form whose text is missing.
    pub(crate) fn note_missing_texts(&mut self) {
        let is_missing = |form: &FormId| !self.texts.contains_key(form);
        self.gap = self.first_gap(|_, record| record.forms.values().any(&is_missing));
    }

    /// Notes a gap at the first record whose process may have sent other forms than it says.
    pub(crate) fn note_uncertain(&mut self, is_uncertain: impl Fn(PrefixId) -> bool) {
        self.gap = self.first_gap(|prefix, _| is_uncertain(prefix));
    }

    /// The gap with those before the first messages that the records tell of which are said to have one.
    fn first_gap(&self, has_gap: impl Fn(PrefixId, &SentRecord) -> bool) -> Option<usize> {
        let with_gap = self.chain.iter();
        let with_gap = with_gap.filter(|(prefix, record)| has_gap(*prefix, record));
        let starts = with_gap.map(|(_, record)| {
            let forms = record.forms.keys().map(|place| place.message);
            // What has landed in it may stand before its start.
            forms.fold(record.start, u32::min) as usize
        });
        starts.chain(self.gap).min()
    }

    /// Whether the records tell how everything was sent to which the model has responded.
    pub(crate) fn covers_all_from_model(&self, scan: &Scan) -> bool {
        let responded = scan.last_from_model().map_or(0, |last| last + 1);
        self.gap.is_none() && self.frozen >= responded
    }

    /// The blocks that change when the compressed prefix lands; none where there is no result. These are those that go out in the original,
    /// and all others too where it [replaces forms](Self::replaces_forms).
    pub(crate) fn to_land(&self) -> impl Iterator<Item = &CompressedBlock> {
        let replaces = self.replaces_forms();
        self.made().filter(move |made| {
            let sent = self.forms.get(&made.place);
            sent.is_none_or(|form| replaces && *form != made.form)
        })
    }

    /// The blocks that go out in the original when the compressed prefix lands, by their positions in the scan: they were sent in forms that
    /// may refer to what is left out from then on, and there are no others.
    pub(crate) fn to_return(&self, scan: &Scan) -> Vec<usize> {
        let deferred = self.deferred.as_ref().filter(|_| self.replaces_forms());
        let mut messages = scan.messages.iter();
        let last =
            deferred.and_then(|it| messages.position(|message| message.boundary == it.prefix));
        let Some(last) = last else {
            return Vec::new();
        };
        let made: HashSet<Place> = self.made().map(|made| made.place).collect();
        let blocks = scan.blocks_from(scan.first_visible_message())..scan.blocks_from(last + 1);
        let is_returned = |at: &usize| {
            let block = &scan.blocks[*at];
            let form = self.forms.get(&block.place);
            // A form as long as the original is the original.
            let is_original = |form| self.texts.get(form).map(Bytes::len) == Some(block.span.len());
            form.is_some_and(|form| !is_original(form)) && !made.contains(&block.place)
        };
        blocks.filter(is_returned).collect()
    }

    /// Whether the result that is to land leaves out what is sent. Then all its forms take the place of those that are sent, because these
    /// may refer to that.
    pub(crate) fn replaces_forms(&self) -> bool {
        let is_new = |made: &CompressedBlock| self.forms.get(&made.place) != Some(&made.form);
        self.made().any(|made| made.shortened && is_new(made))
    }

    /// The blocks that change when the result for new blocks alone lands: those that it shortens, and that are sent as they were first. Others
    /// keep their forms: what stands before these blocks can't refer to them.
    pub(crate) fn tail_to_land(&self) -> impl Iterator<Item = &CompressedBlock> {
        let tail = self.tail.as_ref();
        let made = tail.and_then(|tail| Some((&tail.record, tail.compressed.as_ref()?)));
        // A job for these blocks alone lets no form refer to another block; a result that may is that of another job.
        let made = made.filter(|(_, made)| !made.references);
        made.into_iter().flat_map(move |(record, made)| {
            let to_land = made.blocks.iter();
            to_land.filter(move |made| {
                let (sent, first) = (self.forms.get(&made.place), record.forms.get(&made.place));
                let is_new = made.place.message >= record.start;
                is_new && made.shortened && sent == first && sent != Some(&made.form)
            })
        })
    }

    /// The place of a prefix's record in the chain.
    pub(crate) fn place_in_chain(&self, prefix: PrefixId) -> Option<usize> {
        self.chain.iter().position(|(known, _)| *known == prefix)
    }

    /// What the result holds that is to land.
    fn made(&self) -> impl Iterator<Item = &CompressedBlock> {
        let compressed = self.deferred.as_ref();
        let compressed = compressed.and_then(|deferred| deferred.compressed.as_ref());
        compressed.into_iter().flat_map(|it| &it.blocks)
    }

    /// Leaves out of the results that are to land what this tier does not allow.
    pub(crate) fn limit_to(&mut self, tier: Tier) {
        if !tier.is_lossless() {
            return;
        }
        let left = self.deferred.iter_mut().chain(&mut self.tail);
        for compressed in left.filter_map(|it| it.compressed.as_mut()) {
            compressed.blocks.retain(|block| !block.shortened);
        }
    }

    /// What the forms of earlier blocks may leave out, given what those of new ones may.
    pub(crate) fn tier_before(&self, tier: Tier) -> Tier {
        if self.originals.is_empty() {
            tier
        } else {
            Tier::Recoverable
        }
    }

    /// Whether a compressed prefix is in the making.
    pub(crate) fn awaits_result(&self) -> bool {
        let deferred = self.deferred.as_ref();
        deferred.is_some_and(|deferred| deferred.compressed.is_none())
    }

    /// The oldest record, where something behind it may land by a refresh: all branches that have that in common note in it how long the
    /// provider's cache may live.
    pub(crate) fn oldest_to_follow(&self) -> Option<&(PrefixId, Arc<SentRecord>)> {
        let follows = |(_, record): &(PrefixId, Arc<SentRecord>)| {
            record.untried > 0 || record.waiting && record.start > 0
        };
        let is_followed = self.chain.iter().any(follows);
        self.chain.last().filter(|_| is_followed)
    }

    /// How many messages the record at this place of the chain covers, with those that it continues.
    pub(crate) fn messages_of(&self, at: usize) -> usize {
        let longer = at.checked_sub(1).map(|longer| &self.chain[longer].1);
        longer.map_or(self.frozen, |longer| longer.start as usize)
    }

    /// The record of the shortest known prefix: that of the first request that was seen.
    pub(crate) fn oldest_record(&self) -> Option<&SentRecord> {
        self.chain.last().map(|(_, record)| record.as_ref())
    }

    /// The record of the longest known prefix.
    pub(crate) fn latest_record(&self) -> Option<&SentRecord> {
        self.chain.first().map(|(_, record)| record.as_ref())
    }
}
