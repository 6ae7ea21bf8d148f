//! A cache of the index of each conversation's blocks. A conversation grows at its end: what an earlier request has indexed is not indexed
//! again, so that the time for a request's new blocks does not grow with the conversation.
//!
//! An index is found by the conversation's opening and the model's first message, and used as far as the conversation is the same: a prefix's
//! name stands for all that is in it. Which form a block gets does not depend on what is cached.

use std::sync::{Arc, Mutex, PoisonError};

use headroom_shared::compress::{Deadline, Earlier, Prepared};
use headroom_shared::contract::id::{OriginalId, PrefixId};
use headroom_shared::contract::tier::Tier;
use quick_cache::Weighter;
use quick_cache::unsync::Cache;

use super::blocks::long_calls;
use crate::scan::Scan;

/// Bytes of indexes that are kept, about.
const BYTES: u64 = 32 << 20;

/// The last index of each conversation.
#[derive(Debug)]
pub(crate) struct HistoryCache {
    indexes: Mutex<Cache<PrefixId, Cached, Weights>>,
}

/// The index of a conversation's blocks from the first message that the model still sees.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    first_message: usize,
    /// What the forms of the blocks may have left out.
    tier: Tier,
    /// The messages with blocks, of which all are in the index.
    messages: Vec<IndexedMessage>,
    /// Has these blocks, and those of a message that is not complete yet.
    earlier: Earlier,
    /// How many of the request's tool calls are in it, or before what the model still sees.
    calls: usize,
    /// How many of the messages were found in the cache.
    found: usize,
    /// The position of the first block of the request that is not in it.
    next: usize,
}

#[derive(Debug, Clone, Copy)]
struct IndexedMessage {
    position: usize,
    /// The prefix that ends with it.
    boundary: PrefixId,
    /// Entries in the index up to its end.
    entries: usize,
    /// Tool calls in the request up to its last block.
    calls: usize,
}

#[derive(Debug)]
struct Cached {
    index: Arc<Index>,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct Weights;

impl Weighter<PrefixId, Cached> for Weights {
    fn weight(&self, _: &PrefixId, cached: &Cached) -> u64 {
        cached.bytes as u64
    }
}

impl HistoryCache {
    pub(crate) fn new() -> Self {
        Self::with_capacity(BYTES)
    }

    /// An empty cache for so many bytes.
    pub(super) fn with_capacity(bytes: u64) -> Self {
        Self {
            indexes: Mutex::new(Cache::with_weighter(256, bytes, Weights)),
        }
    }

    /// The index of what a request has in common with an earlier one of its conversation, as far as it ends before the block at this
    /// position.
    pub(super) fn find(&self, scan: &Scan, before: usize, tier: Tier) -> Option<Index> {
        let cached = {
            let indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
            let cached = names(scan).find_map(|name| indexes.get(&name))?;
            cached.index.clone()
        };
        if cached.first_message != scan.first_visible_message() || cached.tier != tier {
            return None;
        }
        let mut index = Index::clone(&cached);
        index.messages.truncate(
            index
                .messages
                .partition_point(|message| message.is_in(scan, before)),
        );
        index.cut();
        let last = index.messages.last();
        index.calls = last.map_or(scan.calls_before(index.first_message), |last| last.calls);
        index.found = index.messages.len();
        index.next = index.after_messages(scan);
        Some(index)
    }

    /// Keeps the index of a conversation's last request.
    pub(crate) fn keep(&self, scan: &Scan, mut index: Index) {
        let Some(name) = names(scan)
            .next()
            .filter(|_| index.messages.len() > index.found)
        else {
            return;
        };
        index.cut();
        index.earlier.merge();
        index.limit(Deadline::NEVER);
        let bytes = index.memory();
        let index = Arc::new(index);
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        indexes.insert(name, Cached { index, bytes });
    }
}

/// The prefixes by which a conversation is known: the one that ends with the model's first message, which hardly ever says the same again,
/// and its opening.
fn names(scan: &Scan) -> impl Iterator<Item = PrefixId> {
    let opening = scan.opening_messages().len();
    let answered = scan.messages.get(opening);
    let answered = answered.map(|message| message.boundary);
    answered.into_iter().chain(scan.opening())
}

impl Index {
    /// That of a conversation of which nothing is indexed yet.
    pub(super) fn new(scan: &Scan, tier: Tier) -> Self {
        let first_message = scan.first_visible_message();
        Self {
            first_message,
            tier,
            messages: Vec::new(),
            earlier: Earlier::default(),
            calls: scan.calls_before(first_message),
            found: 0,
            next: scan.blocks_from(first_message),
        }
    }

    /// What compressors look up.
    pub(super) const fn earlier(&self) -> &Earlier {
        &self.earlier
    }

    /// Has compressors give up at this moment.
    pub(super) fn limit(&mut self, deadline: Deadline) {
        self.earlier = std::mem::take(&mut self.earlier).until(deadline);
    }

    /// The position of the first block of the request that is not in it.
    pub(super) const fn next(&self) -> usize {
        self.next
    }

    /// Adds the tool calls that stand before the block at this position; `false` where they are left out because there was no time.
    pub(super) fn push_calls(&mut self, body: &[u8], scan: &Scan, before: usize) -> bool {
        let Some(block) = scan.blocks.get(before) else {
            return true;
        };
        let end = scan.calls_before(block.place.message as usize);
        let mut calls = long_calls(body, scan, self.calls..end);
        let are_added = calls.all(|call| self.earlier.push_call(&call.tool, &call.input));
        self.calls = end.max(self.calls);
        are_added
    }

    /// Adds the next block, `None` for one that is no Unicode; `false` where it is left out because there was no time.
    pub(super) fn push(&mut self, scan: &Scan, block: Option<Prepared<'_>>) -> bool {
        let original = OriginalId::of(scan.blocks[self.next].id);
        let block = block.map(|block| block.in_tier(self.tier, original));
        let is_added = block.is_none_or(|block| self.earlier.push_prepared(block));
        if is_added {
            self.next += 1;
            self.end_message(scan);
        }
        is_added
    }

    /// Notes the message before the next block, if that was its last block.
    fn end_message(&mut self, scan: &Scan) {
        let message = |at: usize| Some(scan.blocks.get(at)?.place.message as usize);
        if let Some(position) = message(self.next - 1)
            && message(self.next) != Some(position)
        {
            self.messages.push(IndexedMessage {
                position,
                boundary: scan.messages[position].boundary,
                entries: self.earlier.len(),
                calls: self.calls,
            });
        }
    }

    /// The position of the first block behind the messages that are in it.
    fn after_messages(&self, scan: &Scan) -> usize {
        let next = self.messages.last().map(|message| message.position + 1);
        scan.blocks_from(next.unwrap_or(self.first_message))
    }

    /// Leaves out what is behind the messages.
    fn cut(&mut self) {
        let last = self.messages.last();
        self.earlier
            .truncate(last.map_or(0, |message| message.entries));
    }

    fn memory(&self) -> usize {
        size_of::<Cached>()
            + size_of::<IndexedMessage>() * self.messages.capacity()
            + self.earlier.memory()
    }
}

impl IndexedMessage {
    /// Whether a request has this message and all before it, and before this block.
    fn is_in(&self, scan: &Scan, before: usize) -> bool {
        let message = scan.messages.get(self.position);
        message.is_some_and(|message| message.boundary == self.boundary)
            && scan.blocks_from(self.position + 1) <= before
    }
}
