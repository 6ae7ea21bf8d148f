//! The blocks before the one that is compressed next, as far as its form may refer to them.

use std::time::Instant;

use bytes::Bytes;
use headroom_shared::compress::{Deadline, NoForm, Prepared};
use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::job::JobBlock;
use headroom_shared::contract::prefix::{Form, unescaped};
use headroom_shared::contract::tier::Tier;

use super::blocks::Blocks;
use super::history_cache::{HistoryCache, Index};
use super::skip_reason::{CompressResult, SkipReason};
use crate::scan::Scan;

/// What a compressor surely gets through in a millisecond, in bytes: a block too large for what is left of the time is not begun, for
/// it would take that from the blocks after it.
pub(super) const BYTES_A_MS: u128 = 20_000;

/// Whether there is time for a block of so many bytes.
pub(super) fn affords(until: Instant, bytes: usize) -> bool {
    let left = until.saturating_duration_since(Instant::now());
    bytes as u128 * 1000 <= left.as_micros() * BYTES_A_MS
}

/// The earlier blocks of a request, with their index: that of the conversation's last request, continued.
#[derive(Debug)]
pub(super) struct History<'a> {
    body: &'a Bytes,
    scan: &'a Scan,
    blocks: Blocks<'a>,
    index: Index,
    /// References count blocks from the first one on: when one is missing, all that follow are left out, too.
    is_complete: bool,
    /// Why a block gets no form that might get one with the whole history.
    if_incomplete: SkipReason,
}

impl<'a> History<'a> {
    /// The history of a request up to a block before this position, as far as `cache` has it, whose forms may leave out what `tier` says.
    pub(super) fn resume(
        (body, scan): (&'a Bytes, &'a Scan),
        cache: &HistoryCache,
        before: usize,
        tier: Tier,
    ) -> Self {
        let find = || cache.find(scan, before, tier);
        let found = scan.references.then(find).flatten();
        let index = found.unwrap_or_else(|| Index::new(scan, tier));
        Self::of_index(body, scan, index)
    }

    fn of_index(body: &'a Bytes, scan: &'a Scan, index: Index) -> Self {
        Self {
            body,
            scan,
            blocks: Blocks::new(body, scan),
            index,
            is_complete: scan.references,
            if_incomplete: SkipReason::ReferencesOff,
        }
    }

    /// Has compressors give up at this moment.
    pub(super) fn limit(&mut self, deadline: Instant) {
        self.index.limit(Deadline::at(deadline));
    }

    /// The block at this position; `None` for one that is no Unicode. To be asked for in order.
    pub(super) fn block(&mut self, at: usize) -> Option<JobBlock> {
        self.blocks.unescaped(at)
    }

    /// Adds the blocks before this position, as long as there is time.
    pub(super) fn grow_to(&mut self, at: usize, until: Instant) {
        self.limit(until);
        while self.is_complete && self.index.next() < at {
            let next = self.index.next();
            if affords(until, self.scan.blocks[next].span.len()) {
                let block = self.blocks.unescaped(next);
                let block = block.as_ref().map(|block| prepared(block, Tier::Lossless));
                self.push(next, block);
            } else {
                self.stop_before(next);
            }
        }
    }

    /// Adds the block at this position, `None` for one that is no Unicode, if the index has all before it and the model sees it.
    pub(super) fn push(&mut self, at: usize, block: Option<Prepared<'_>>) {
        self.push_calls(at);
        let is_next = self.is_complete && self.index.next() == at;
        if is_next && !self.index.push(self.scan, block) {
            self.stop_before(at);
        }
    }

    /// Adds the tool calls before the block at this position, if the index has all before them.
    pub(super) fn push_calls(&mut self, at: usize) {
        let is_next = self.is_complete && self.index.next() == at;
        if is_next && !self.index.push_calls(self.body, self.scan, at) {
            self.stop_before(at);
        }
    }

    /// Leaves out the block at this position and all after it.
    pub(super) fn stop_before(&mut self, at: usize) {
        if self.is_complete && self.index.next() == at {
            self.is_complete = false;
            self.if_incomplete = SkipReason::EntryBudget;
        }
    }

    /// Whether a form gives the block back, given what stands before it now.
    pub(super) fn gives_back(&self, form: &Form, block: &Prepared<'_>) -> bool {
        let text = unescaped(form.text.as_bytes());
        text.is_some_and(|text| block.gives_back(&text, self.index.earlier()))
    }

    /// The form of a block, with references to what is in the index.
    pub(super) fn compress(&self, block: &JobBlock, prepared: &Prepared<'_>) -> CompressResult {
        match prepared.compress(self.index.earlier()) {
            Ok(text) => Ok(Form::new(block.block, &text)),
            Err(NoForm::OutOfTime) => Err(SkipReason::EntryBudget),
            Err(none) if self.is_complete => Err(none.into()),
            Err(_) => Err(self.if_incomplete),
        }
    }

    /// What was indexed of it.
    pub(super) fn into_index(self) -> Index {
        self.index
    }
}

/// A block, to be compressed to a form that may leave out what `tier` says.
pub(super) fn prepared(block: &JobBlock, tier: Tier) -> Prepared<'_> {
    Prepared::of(block.source()).in_tier(tier, OriginalId::of(block.block))
}

/// Adds the blocks of a request that are left to its index, as far as there is time for them, and keeps it for the conversation's next
/// request.
pub(crate) fn remember(
    (body, scan): (&Bytes, &Scan),
    index: Index,
    cache: &HistoryCache,
    until: Instant,
) {
    if scan.references {
        let mut history = History::of_index(body, scan, index);
        history.grow_to(scan.blocks.len(), until);
        cache.keep(scan, history.into_index());
    }
}
