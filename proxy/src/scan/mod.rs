//! Scans a request's raw bytes in one pass: which texts are blocks, and which prefixes the request consists of.
//!
//! The scan knows JSON and what all dialects have in common (an array of messages, each with a content of parts). What in a message is a
//! block, a tool call or thinking is said by its dialect, through [`Grammar`].

mod cache_markers;
mod cached_settings;
mod digest;
#[cfg(test)]
mod document_generator;
#[cfg(test)]
mod golden;
pub(crate) mod json;
mod message_reader;
#[cfg(test)]
mod properties;
mod raw_message;
mod retrieval_offer;
mod scan_cache;
mod scanner;
pub(crate) mod string_end;

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use headroom_shared::contract::id::{BlockId, PrefixId};
use headroom_shared::contract::job::Place;
use headroom_shared::contract::model::Model;

pub(crate) use self::cached_settings::CacheSettings;
pub(crate) use self::json::{Cursor, NotInDialect};
pub(crate) use self::raw_message::{
    Member, Part, RawMessage, Text, member, only_member, string_member,
};
use self::scan_cache::ResumePoint;
pub(crate) use self::scan_cache::{ResumePoints, ScanCache};
pub(crate) use self::scanner::{ScanProgress, scan, scan_until, scan_with_cache};

/// Smallest tool output that is a block, in bytes of escaped text. A form must save 24 tokens, so less is rarely worth a look.
pub const MIN_TOOL_BYTES: usize = 256;

/// Smallest user text that is a block, in bytes of escaped text. What a person typed is rarely this long.
pub const MIN_USER_BYTES: usize = 2048;

/// Bytes of memory that a scan may take besides as many as its body has. What agents send takes a hundredth of that; a body of
/// nothing but commas would take a hundred times its size.
pub(crate) const BASE_MEMORY: usize = 256 << 10;

/// What a scan found in a request.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The model it names; empty if none.
    pub(crate) model: String,
    /// What is known of that model.
    pub(crate) facts: Model,
    /// Its messages, in order.
    pub(crate) messages: Vec<Message>,
    /// Its blocks, in order.
    pub(crate) blocks: Vec<Block>,
    /// Its tool calls, in order.
    pub(crate) calls: Vec<Call>,
    /// Bytes in its messages that the model reads as text: not images, documents, signatures and the like.
    pub(crate) text_bytes: usize,
    /// Whether the model may think before it responds.
    pub(crate) asks_thinking: bool,
    /// Whether it may do so where the request does not say so.
    pub(crate) thinks_by_default: bool,
    /// How long the provider may keep what this request makes it cache.
    pub(crate) cache: CacheLife,
    /// Names what that depends on besides the messages; `None` where not all of the body was scanned, or it holds too many.
    pub(crate) settings: Option<CacheSettings>,
    /// Whether the model surely sees the blocks before each block, so that a form may refer to them.
    pub(crate) references: bool,
    /// From where the scan of the conversation's next body can continue.
    pub(crate) resume_points: ResumePoints,
}

/// One message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    /// Names the prefix that ends with this message.
    pub(crate) boundary: PrefixId,
    /// Whether the model wrote it.
    pub(crate) from_model: bool,
    /// Whether thinking that may be bound to what stands before it is in it.
    pub(crate) thinking: bool,
    /// Whether the provider drops what stands before it.
    pub(crate) compacts: bool,
    /// Whether it only names an item that the provider has stored.
    pub(crate) is_reference: bool,
    /// Whether clients append it to what they have to say; such a reference is one, too.
    pub(crate) is_appended: bool,
    /// Whether it offers the model the retrieval tool.
    pub(crate) offers_retrieval: bool,
    /// How many tool calls stand in the messages up to this one.
    pub(crate) calls: u32,
    /// How many parts of contents stand in the messages up to this one; a message has one at least.
    pub(crate) parts: u32,
}

impl Message {
    /// Whether the model wrote it, or it names what the model may have written.
    pub(crate) const fn may_be_from_model(&self) -> bool {
        self.from_model || self.is_reference
    }
}

/// One block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Where it stands in the conversation.
    pub(crate) place: Place,
    /// Where its text stands in the body: between the quotes, escaped.
    pub(crate) span: Range<usize>,
    /// The digest of that text.
    pub(crate) id: BlockId,
    /// Where the id of the tool call stands whose output it is.
    pub(crate) call: Option<Range<usize>>,
}

/// One tool call; the spans of its texts.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Its id.
    pub(crate) id: Range<usize>,
    /// The tool's name.
    pub(crate) name: Range<usize>,
    /// The input: JSON, or a string that holds JSON (with its quotes).
    pub(crate) input: Range<usize>,
    /// Whether code of the model's made it: its output goes to that code, and the model does not read it.
    pub(crate) is_from_code: bool,
}

/// How long a provider keeps what a request makes it cache.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheLife {
    /// Nothing is cached: the request carries no marker and the provider caches only by markers.
    #[default]
    None,
    /// At least this long after the start of the request that last used it.
    Marked(Duration),
    /// Cached without being asked, for at most this long.
    Automatic(Duration),
}

/// What a dialect's documents mean.
pub(crate) trait Grammar: std::fmt::Debug + Sync {
    /// The dialect's name, in logs and digests.
    fn name(&self) -> &'static str;
    /// The member of the body that holds the messages.
    fn messages_member(&self) -> &'static [u8];
    /// Whether this member says that the provider may drop earlier messages by itself.
    fn drops_blocks(&self, member: &[u8], value: &[u8]) -> bool;
    /// The members that name a history that the request does not carry.
    fn history_members(&self) -> &'static [&'static [u8]];
    /// Whether this member lets the model think before it responds, in blocks that it may bind.
    fn asks_thinking(&self, member: &[u8], value: &[u8]) -> bool;
    /// Whether models may think before they respond where a request says nothing of it, and clients send that back.
    fn thinks_by_default(&self) -> bool;
    /// What a message is, and what in it may be replaced.
    fn parse_message(&self, message: &RawMessage<'_>, body: &[u8]) -> ParsedMessage;
    /// The members by which a client asks the provider to cache, wherever in the body they stand. They are no part of a prefix's
    /// content, and a text that has one is a text and nothing more.
    fn cache_markers(&self) -> &'static [&'static [u8]];
    /// The members beside the messages without which the provider's cache of a prefix is another one: all that its documents name.
    fn cached_settings(&self) -> &'static [&'static [u8]];
    /// How long the provider keeps what a body with these values of those members makes it cache.
    fn cache_life(&self, markers: &[&[u8]]) -> CacheLife;
}

/// What a dialect says of one message.
#[derive(Debug, Default)]
pub(crate) struct ParsedMessage {
    /// Whether the model wrote it.
    pub(crate) from_model: bool,
    /// Whether thinking is in it.
    pub(crate) thinking: bool,
    /// Whether the provider drops what stands before it, because it says the same in fewer words.
    pub(crate) compacts: bool,
    /// Whether it only names an item that the provider has stored: one that the model wrote, mostly.
    pub(crate) is_reference: bool,
    /// Whether clients append it to what they have to say, and it says nothing more to the model.
    pub(crate) is_appended: bool,
    /// The tools that it offers the model: JSON.
    pub(crate) tools: Option<Range<usize>>,
    /// Its texts that may be replaced, each with the id of the tool call whose output it is.
    pub(crate) blocks: Vec<(Text, Option<Range<usize>>)>,
    /// The tool calls in it.
    pub(crate) calls: Vec<Call>,
}

impl Scan {
    /// Bytes of memory that it takes.
    pub(crate) fn memory(&self) -> usize {
        self.model.len()
            + size_of::<Message>() * self.messages.len()
            + size_of::<Block>() * self.blocks.len()
            + size_of::<Call>() * self.calls.len()
            + size_of::<ResumePoint>() * self.resume_points.points.len()
            + size_of::<Range<usize>>() * self.resume_points.markers.len()
    }

    /// Whether the model can call the retrieval tool at once.
    pub(crate) fn offers_retrieval(&self) -> bool {
        let visible = &self.messages[self.first_visible_message()..];
        let in_messages = || visible.iter().any(|it| it.offers_retrieval);
        self.settings
            .is_some_and(|it| it.may_call_retrieval && (it.offers_retrieval || in_messages()))
    }

    /// The messages before the model's first.
    pub(crate) fn opening_messages(&self) -> &[Message] {
        let first = self.messages.iter().position(Message::may_be_from_model);
        &self.messages[..first.unwrap_or(self.messages.len())]
    }

    /// The prefix of the messages before the model's first; `None` if there are none.
    pub(crate) fn opening(&self) -> Option<PrefixId> {
        self.opening_messages()
            .last()
            .map(|message| message.boundary)
    }

    /// The position of the last message that the model wrote. A reference at the end is the client's, which asks with it for a stored item;
    /// one before what the client says is the model's.
    pub(crate) fn last_from_model(&self) -> Option<usize> {
        let mut said = self.messages.iter();
        let said = said.rposition(|message| !message.is_appended)?;
        let mut said = self.messages[..=said].iter();
        said.rposition(Message::may_be_from_model)
    }

    /// The messages of the model's last turn: of those that it wrote one after the other.
    pub(crate) fn last_turn(&self) -> Range<usize> {
        let end = self.last_from_model().map_or(0, |last| last + 1);
        let turn = self.messages[..end].iter().rev();
        let count = turn
            .take_while(|message| message.may_be_from_model())
            .count();
        end - count..end
    }

    /// How many turns of the model stand in the messages before this one that it still sees. What it wrote in several messages one after the
    /// other is one turn.
    pub(crate) fn turns_before(&self, message: usize) -> usize {
        let first = self.first_visible_message().min(message);
        let visible = self.messages[first..message.min(self.messages.len())].iter();
        let mut was_from_model = false;
        let begins = |it: &&Message| {
            let is_from_model = it.may_be_from_model();
            let before = std::mem::replace(&mut was_from_model, is_from_model);
            is_from_model && !before
        };
        visible.filter(begins).count()
    }

    /// The first message that the model still sees: the provider drops those before a compaction.
    pub(crate) fn first_visible_message(&self) -> usize {
        let last = self.messages.iter().rposition(|message| message.compacts);
        last.unwrap_or(0)
    }

    /// The position of the last message with thinking.
    pub(crate) fn last_thinking(&self) -> Option<usize> {
        self.messages.iter().rposition(|message| message.thinking)
    }

    /// For each block, how many blocks with the same text stand before it.
    pub(crate) fn duplicates_before(&self) -> Vec<u32> {
        let mut seen: HashMap<BlockId, u32> = HashMap::new();
        let mut next = |block: &Block| {
            let count = seen.entry(block.id).or_default();
            *count += 1;
            *count - 1
        };
        self.blocks.iter().map(&mut next).collect()
    }

    /// Tokens in its messages, about.
    pub(crate) fn tokens(&self) -> u64 {
        self.facts.tokens(self.text_bytes)
    }

    /// The prefix that ends with a block's message.
    pub(crate) fn prefix_with(&self, block: &Block) -> PrefixId {
        self.messages[block.place.message as usize].boundary
    }

    /// The position of the first block in the message at this position or behind it.
    pub(crate) fn blocks_from(&self, message: usize) -> usize {
        self.blocks
            .partition_point(|block| (block.place.message as usize) < message)
    }

    /// How many parts of contents stand in the message at this position and behind it.
    pub(crate) fn parts_from(&self, message: usize) -> u32 {
        let upto = |messages: &[Message]| messages.last().map_or(0, |last| last.parts);
        let before = self.messages.get(..message).unwrap_or(&self.messages);
        upto(&self.messages) - upto(before)
    }

    /// How many tool calls stand before the message at this position.
    pub(crate) fn calls_before(&self, message: usize) -> usize {
        let before = message.checked_sub(1);
        let before = before.and_then(|before| self.messages.get(before));
        before.map_or(0, |message| message.calls as usize)
    }

    /// The prefix that is the whole request; `None` if it has no messages.
    pub(crate) fn full_prefix(&self) -> Option<PrefixId> {
        self.messages.last().map(|message| message.boundary)
    }
}
