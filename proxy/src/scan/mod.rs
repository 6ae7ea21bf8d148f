//! Scans a request's raw bytes in one pass: which texts are blocks, and which prefixes the request consists of.
//!
//! The scan knows JSON and what all dialects have in common (an array of messages, each with a content of parts). What in a message is a
//! block, a tool call or thinking is said by its dialect, through [`Grammar`].

mod cache_markers;
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
mod scan_cache;
pub(crate) mod string_end;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headroom_shared::contract::id::{BlockId, DigestKey, PrefixId};
use headroom_shared::contract::job::Place;
use headroom_shared::contract::model::Model;
use memchr::memmem;

use self::digest::RollingDigest;
use self::json::Kind;
pub(crate) use self::json::{Cursor, NotInDialect};
use self::message_reader::MessageReader;
pub(crate) use self::raw_message::{Part, RawMessage, Text, member, string_member};
use self::scan_cache::ResumePoint;
pub(crate) use self::scan_cache::{ResumePoints, ScanCache};

/// Smallest tool output that is a block, in bytes of escaped text. A form must save a hundred bytes, so less is rarely worth a look.
pub const MIN_TOOL_BYTES: usize = 512;

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
    /// Its texts that may be replaced, each with the id of the tool call whose output it is.
    pub(crate) blocks: Vec<(Text, Option<Range<usize>>)>,
    /// The tool calls in it.
    pub(crate) calls: Vec<Call>,
}

/// Scans a body.
///
/// # Errors
/// When it is not what the dialect says.
pub(crate) fn scan(
    body: &[u8],
    grammar: &dyn Grammar,
    key: &DigestKey,
) -> Result<Scan, NotInDialect> {
    Scanner::new(body, grammar, key, None).scan()
}

/// Scans a body. Continues the last scan of the same conversation where the cache has it, and caches this one.
///
/// # Errors
/// When it is not what the dialect says.
pub(crate) fn scan_with_cache(
    body: &Bytes,
    grammar: &dyn Grammar,
    key: &DigestKey,
    scans: &ScanCache,
) -> Result<Arc<Scan>, NotInDialect> {
    let scan = Arc::new(Scanner::new(body, grammar, key, Some(scans)).scan()?);
    scans.keep(body, &scan);
    Ok(scan)
}

/// A scan, and how much of the body was scanned.
#[derive(Debug)]
pub(crate) enum ScanProgress {
    /// All of it.
    Whole(Arc<Scan>),
    /// Its opening, and the messages after it up to the one after which the scan was stopped.
    Partial(Arc<Scan>),
}

/// Scans a body like [`scan_with_cache`]; but where the cache has nothing of its conversation, stops beyond the opening as soon as
/// `stop_when` says so. The next scan continues from there.
///
/// # Errors
/// When it is not what the dialect says.
pub(crate) fn scan_until(
    body: &Bytes,
    grammar: &dyn Grammar,
    key: &DigestKey,
    scans: &ScanCache,
    stop_when: &dyn Fn(&Scan) -> bool,
) -> Result<ScanProgress, NotInDialect> {
    let mut scanner = Scanner::new(body, grammar, key, Some(scans));
    scanner.stop_when = Some(stop_when);
    let read = scanner.read();
    let stopped = scanner.stopped;
    if !stopped {
        read?;
    }
    let scan = Arc::new(scanner.done());
    scans.keep(body, &scan);
    Ok(if stopped {
        ScanProgress::Partial(scan)
    } else {
        ScanProgress::Whole(scan)
    })
}

/// The scan of one body as it is being made.
struct Scanner<'a> {
    grammar: &'a dyn Grammar,
    key: &'a DigestKey,
    scans: Option<&'a ScanCache>,
    /// When the scan of a conversation that the cache does not have may stop.
    stop_when: Option<&'a dyn Fn(&Scan) -> bool>,
    /// Whether it was stopped so.
    stopped: bool,
    /// Whether a message of the model was read.
    has_model_message: bool,
    reader: MessageReader<'a>,
    body: &'a [u8],
    scan: Scan,
}

impl<'a> Scanner<'a> {
    fn new(
        body: &'a [u8],
        grammar: &'a dyn Grammar,
        key: &'a DigestKey,
        scans: Option<&'a ScanCache>,
    ) -> Self {
        let scan = Scan {
            references: true,
            thinks_by_default: grammar.thinks_by_default(),
            ..Scan::default()
        };
        Self {
            grammar,
            key,
            scans,
            stop_when: None,
            stopped: false,
            has_model_message: false,
            reader: MessageReader::new(body, key, grammar.cache_markers()),
            body,
            scan,
        }
    }

    fn scan(mut self) -> Result<Scan, NotInDialect> {
        self.read()?;
        Ok(self.done())
    }

    fn done(mut self) -> Scan {
        self.scan.resume_points.markers = self.reader.markers.into_spans();
        self.scan
    }

    fn read(&mut self) -> Result<(), NotInDialect> {
        let (body, grammar) = (self.body, self.grammar);
        let mut cursor = Cursor::new(body);
        let mut messages = None;
        let mut seed = RollingDigest::new(&mut self.reader.digester, grammar.name());
        cursor.object(|cursor, name| {
            if name == b"model" && cursor.kind()? == Kind::String {
                let span = cursor.string()?;
                self.scan.model = String::from_utf8_lossy(cursor.slice(&span)).into_owned();
                self.scan.facts = Model::named(&self.scan.model);
            } else if name == grammar.messages_member() {
                if messages.replace((cursor.clone(), seed)).is_some() {
                    return Err(NotInDialect);
                }
                return self.messages(cursor, seed);
            } else {
                let value = self.reader.markers.skip_value(cursor, name)?;
                let value = cursor.slice(&value);
                self.scan.asks_thinking |= grammar.asks_thinking(name, value);
                self.scan.references &= !grammar.drops_blocks(name, value);
                if grammar.history_members().contains(&name) && value != b"null" {
                    // Which blocks are in that history, and which of them the provider kept, is not known here.
                    self.scan.references = false;
                    seed = seed.history(&mut self.reader.digester, name, value);
                }
            }
            Ok(())
        })?;
        cursor.end()?;
        let (mut cursor, first_seed) = messages.ok_or(NotInDialect)?;
        if first_seed != seed {
            // The history is named behind the messages: their boundaries were computed without it.
            let mut again = Scanner::new(body, grammar, self.key, None);
            again.messages(&mut cursor, seed)?;
            self.scan.messages = again.scan.messages;
            self.scan.resume_points.points.clear();
        }
        self.scan.cache = grammar.cache_life(&self.reader.markers.values());
        Ok(())
    }

    /// Scans the messages at `cursor`, which continue the conversation with this digest.
    fn messages(
        &mut self,
        cursor: &mut Cursor<'a>,
        mut digest: RollingDigest,
    ) -> Result<(), NotInDialect> {
        match cursor.kind()? {
            Kind::String => {
                let message = self.reader.string(cursor)?;
                self.message(&message, &mut digest)?;
                Ok(())
            }
            Kind::Array => {
                self.scan.resume_points.messages_at = cursor.offset();
                cursor.array(|cursor| {
                    self.reader.memory_left = self.memory_left()?;
                    let message = self.reader.message(cursor)?;
                    let opened = self.message(&message, &mut digest)?;
                    self.note_resume_point(cursor.offset(), digest);
                    if opened && let Some(point) = self.resume() {
                        *cursor = Cursor::at(self.body, point.end);
                        digest = point.digest;
                    }
                    self.stopped = self.may_stop(cursor.offset());
                    if self.stopped {
                        Err(NotInDialect)
                    } else {
                        Ok(())
                    }
                })
            }
            Kind::Object | Kind::Scalar => Err(NotInDialect),
        }
    }

    /// Bytes of memory that what is found in further messages may take.
    ///
    /// # Errors
    /// When none are left: the body has so many messages for its size that no agent wrote it.
    fn memory_left(&self) -> Result<usize, NotInDialect> {
        let most = BASE_MEMORY + self.body.len();
        let markers = size_of::<Range<usize>>() * self.reader.markers.spans.len();
        let taken = self.scan.memory() + markers;
        most.checked_sub(taken).ok_or(NotInDialect)
    }

    /// Adds what is in a message, and says whether it is the model's first.
    fn message(
        &mut self,
        message: &RawMessage<'_>,
        digest: &mut RollingDigest,
    ) -> Result<bool, NotInDialect> {
        let index = u32::try_from(self.scan.messages.len()).map_err(|_| NotInDialect)?;
        let parsed = self.grammar.parse_message(message, self.body);
        let boundary = digest.append(&mut self.reader.digester, self.body, message);
        self.scan.text_bytes += message.text_bytes();
        let ParsedMessage {
            from_model,
            thinking,
            compacts,
            blocks,
            calls,
        } = parsed;
        self.scan.messages.push(Message {
            boundary,
            from_model,
            thinking,
            compacts,
        });
        self.scan.calls.extend(calls);
        for (
            Text {
                part,
                inner,
                span,
                id,
            },
            call,
        ) in blocks
        {
            let Some(id) = id else { continue };
            let place = Place {
                message: index,
                part,
                inner,
            };
            self.scan.blocks.push(Block {
                place,
                span,
                id,
                call,
            });
        }
        let opened = from_model && !self.has_model_message;
        self.has_model_message |= opened;
        Ok(opened)
    }
}

impl Scanner<'_> {
    /// Notes the state of the scan after a message.
    fn note_resume_point(&mut self, end: usize, digest: RollingDigest) {
        self.scan.resume_points.points.push(ResumePoint {
            end,
            digest,
            text_bytes: self.scan.text_bytes,
            blocks: self.scan.blocks.len(),
            calls: self.scan.calls.len(),
            markers: self.reader.markers.spans.len(),
        });
    }

    /// After the model's first message: copies what was found in the beginning that the body has in common with the last one of the same
    /// conversation, and gives the point from where to continue.
    fn resume(&mut self) -> Option<ResumePoint> {
        let cached = self.scans?.find(self.scan.opening()?)?;
        cached.resume(self.body, &mut self.scan, &mut self.reader.markers.spans);
        self.stop_when = None;
        self.scan.resume_points.points.last().cloned()
    }

    /// Whether the scan may stop after the message that ends at `end`: `stop_when` says so, and no member that may follow changes the
    /// ids of the prefixes.
    fn may_stop(&mut self, end: usize) -> bool {
        if !self.has_model_message
            || !self
                .stop_when
                .is_some_and(|stop_when| stop_when(&self.scan))
        {
            return false;
        }
        let rest = &self.body[end..];
        let quoted = |at: usize, name: &[u8]| {
            rest[..at].ends_with(b"\"") && rest[at + name.len()..].starts_with(b"\"")
        };
        let follows = |name: &&[u8]| memmem::find_iter(rest, name).any(|at| quoted(at, name));
        if self.grammar.history_members().iter().any(follows) {
            self.stop_when = None;
        }
        self.stop_when.is_some()
    }
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

    /// The messages before the model's first.
    pub(crate) fn opening_messages(&self) -> &[Message] {
        let first = self.messages.iter().position(|message| message.from_model);
        &self.messages[..first.unwrap_or(self.messages.len())]
    }

    /// The prefix of the messages before the model's first; `None` if there are none.
    pub(crate) fn opening(&self) -> Option<PrefixId> {
        self.opening_messages()
            .last()
            .map(|message| message.boundary)
    }

    /// The position of the last message that the model wrote.
    pub(crate) fn last_from_model(&self) -> Option<usize> {
        self.messages.iter().rposition(|message| message.from_model)
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

    /// The position of the first block in the message at this position or behind it.
    pub(crate) fn blocks_from(&self, message: usize) -> usize {
        self.blocks
            .partition_point(|block| (block.place.message as usize) < message)
    }

    /// The prefix that is the whole request; `None` if it has no messages.
    pub(crate) fn full_prefix(&self) -> Option<PrefixId> {
        self.messages.last().map(|message| message.boundary)
    }
}
