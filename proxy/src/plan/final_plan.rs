//! [`FinalPlan`]: what becomes of a plan when its entries were stored, or could not be.

use std::collections::HashSet;

use bytes::Bytes;
use headroom_shared::contract::id::PrefixId;
use headroom_shared::contract::prefix::Form;
use headroom_shared::store::{Entry, Key, Life};

use super::landing::{Landing, Obstacle};
use super::record_updates::RecordUpdates;
use super::shortened::Shortened;
use super::skip_reason::{SkipReason, SkippedBlocks};
use super::{Forms, Plan};
use crate::scan::Scan;

/// A plan after its entries were stored, or could not be.
#[derive(Debug)]
pub(crate) struct FinalPlan {
    /// The forms that go out.
    pub(crate) forms: Forms,
    /// What is to be remembered of the request.
    pub(crate) record_updates: RecordUpdates,
    /// The keys of what is in the store of it already: new forms, the blocks that are sent in them, and the record updates.
    pub(crate) stored: Vec<Key>,
    /// Forms that are in use from now on, each by its block's position in the scan.
    pub(crate) newly_compressed: Vec<(usize, Form)>,
    /// The blocks that are sent for the first time and go out in the original.
    pub(crate) skipped: SkippedBlocks,
    /// What becomes of what was left to workers, if anything was: of what landed, or else of what waits.
    pub(crate) landing: Option<Landing>,
    /// The prefix whose result that is, where it landed.
    pub(crate) landed_prefix: Option<PrefixId>,
    /// How many blocks land.
    pub(crate) landed: usize,
    /// The blocks that are sent shortened from now on.
    pub(crate) shortened: Vec<Shortened>,
    /// The prefix that a worker is to compress anew when it has time: the whole request.
    pub(crate) refresh: Option<PrefixId>,
    /// The new blocks, by their positions, that a worker is to compress alone, and soon.
    pub(crate) tail: Vec<usize>,
}

impl Plan {
    /// The forms that go out when the plan's entries are stored.
    pub(crate) fn forms(&self) -> Forms {
        // What lands may change the form of a block that has one.
        let landed: HashSet<usize> = self.landed_forms.iter().map(|(index, _)| *index).collect();
        let recorded = self.recorded.iter();
        let recorded = recorded.filter(|(index, _)| !landed.contains(index));
        let mut forms: Forms = recorded.cloned().collect();
        let texts = self.landed_forms.iter().chain(&self.newly_compressed);
        forms.extend(texts.map(|(index, form)| (*index, Bytes::from(form.text.clone()))));
        forms.sort_unstable_by_key(|(index, _)| *index);
        forms
    }

    /// What to store before the request goes out; nothing where it has no new form.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        if self.landed == 0 && self.newly_compressed.is_empty() {
            return Vec::new();
        }
        let forms = self.form_entries.iter().cloned();
        let all = forms.chain(self.record_updates.entries());
        // The provider may refuse the request.
        all.map(|entry| entry.with_life(Life::Provisional))
            .collect()
    }

    /// Whether it has forms, and all of them are of blocks that are sent for the first time: those from `first_new_block` on.
    pub(crate) fn has_only_new_forms(&self, first_new_block: usize) -> bool {
        let is_new = |(index, _): &(usize, Form)| *index >= first_new_block;
        self.recorded.is_empty()
            && self.landed_forms.is_empty()
            && !self.newly_compressed.is_empty()
            && self.newly_compressed.iter().all(is_new)
    }

    /// Notes in the request's record for how many tokens no form was looked for; where nothing new is stored, those of new forms are among
    /// them.
    pub(super) fn note_untried(&mut self, scan: &Scan, untried: u64) {
        let new = self.newly_compressed.iter();
        let new = new.map(|(index, _)| scan.blocks[*index].span.len());
        let without_new = untried.saturating_add(scan.facts.tokens(new.sum()));
        self.record_updates.note_untried(untried);
        self.record_updates_without_new.note_untried(without_new);
    }

    /// What goes out when the plan's entries are `stored`.
    pub(crate) fn commit(self, stored: &[Entry]) -> FinalPlan {
        let stored = stored.iter().map(|entry| entry.key).collect();
        FinalPlan {
            forms: self.forms(),
            shortened: self.shortened(),
            record_updates: self.record_updates,
            stored,
            newly_compressed: self.newly_compressed,
            skipped: self.skipped,
            landing: self.landing,
            landed_prefix: self.landed_prefix,
            landed: self.landed,
            refresh: self.refresh,
            tail: self.tail,
        }
    }

    /// What goes out without new forms for this reason: the plan's entries could not be stored in time, for example. They may have reached
    /// the store all the same.
    pub(crate) fn roll_back(mut self, reason: SkipReason) -> FinalPlan {
        let skipped = |(index, _): (usize, Form)| (index, reason);
        self.skipped
            .extend(self.newly_compressed.into_iter().map(skipped));
        self.record_updates
            .roll_back(self.record_updates_without_new);
        FinalPlan {
            forms: self.recorded,
            record_updates: self.record_updates,
            stored: Vec::new(),
            shortened: Vec::new(),
            newly_compressed: Vec::new(),
            skipped: self.skipped,
            landing: self.landing.map(|landing| match landing {
                Landing::Lands(_) => Landing::Waits(Obstacle::StoreLate),
                waits @ Landing::Waits(_) => waits,
            }),
            landed_prefix: None,
            landed: 0,
            refresh: None,
            tail: Vec::new(),
        }
    }
}
