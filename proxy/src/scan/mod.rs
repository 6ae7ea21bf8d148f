//! One pass over a request's raw bytes: where its blocks stand, and which prefixes it is made of.
//!
//! The scan knows JSON and the common frame of the dialects (an array of messages, each with a content of parts); what in
//! that frame is a block, a tool call or a thought is the dialect's to say.

mod digest;
mod draft;
#[cfg(test)]
mod golden;
pub(crate) mod json;
mod markers;
#[cfg(test)]
mod properties;
mod read;
mod remembered;
pub(crate) mod string_end;
#[cfg(test)]
mod writer;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headroom_shared::contract::id::{BlockId, DigestKey, PrefixId};
use headroom_shared::contract::job::Place;
use headroom_shared::contract::model::Model;
use memchr::memmem;

use self::digest::Chain;
pub(crate) use self::draft::{Draft, Part, Text, member, string_member};
use self::json::Kind;
pub(crate) use self::json::{Cursor, NotInDialect};
use self::read::Reader;
use self::remembered::Step;
pub(crate) use self::remembered::{Scans, Trail};

/// Smallest tool output that is a block, in bytes of escaped text. A form must save a hundred bytes, so less is rarely worth a look.
pub const MIN_TOOL_BYTES: usize = 512;

/// Smallest user text that is a block, in bytes of escaped text. What a person typed is rarely this long.
pub const MIN_USER_BYTES: usize = 2048;

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
    /// Whether the model may think before it answers.
    pub(crate) asks_thinking: bool,
    /// Whether it may do so without being asked.
    pub(crate) thinks_by_default: bool,
    /// How long the provider may keep what this request makes it cache.
    pub(crate) cache: CacheLife,
    /// Whether a block can count on the blocks before it being in the model's sight.
    pub(crate) references: bool,
    /// What it takes to go on from here with the next body of the conversation.
    pub(crate) trail: Trail,
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

/// What a dialect's documents are made of.
pub(crate) trait Grammar: std::fmt::Debug + Sync {
    /// The dialect's name, in logs and digests.
    fn name(&self) -> &'static str;
    /// The member of the body that holds the messages.
    fn messages_member(&self) -> &'static [u8];
    /// Whether this member says that the provider may drop earlier messages by itself.
    fn drops_blocks(&self, member: &[u8], value: &[u8]) -> bool;
    /// The members that name a history that the request does not carry.
    fn history_members(&self) -> &'static [&'static [u8]];
    /// Whether this member lets the model think before it answers, in blocks that it may bind.
    fn asks_thinking(&self, member: &[u8], value: &[u8]) -> bool;
    /// Whether models may think before they answer where a request says nothing of it, and clients send that back.
    fn thinks_by_default(&self) -> bool;
    /// What a message is and what in it may be replaced.
    fn read(&self, message: &Draft<'_>, body: &[u8]) -> Reading;
    /// The members by which a client asks the provider to cache, wherever in the body they stand. They are no part of a prefix's
    /// content, and a text that has one is a text and nothing more.
    fn cache_markers(&self) -> &'static [&'static [u8]];
    /// How long the provider keeps what a body with these values of those members makes it cache.
    fn cache_life(&self, markers: &[&[u8]]) -> CacheLife;
}

/// What a dialect says of one message.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Whether the model wrote it.
    pub(crate) from_model: bool,
    /// Whether thinking is in it.
    pub(crate) thinking: bool,
    /// Whether the provider drops what stands before it, because it says the same in fewer words.
    pub(crate) compacts: bool,
    /// Its texts that may be replaced, each with the id of the tool call it answers.
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
    Scanner::new(body, grammar, key, None).body()
}

/// Scans a body, going on from the last scan of the same conversation where there is one, and remembers this one.
///
/// # Errors
/// When it is not what the dialect says.
pub(crate) fn scan_again(
    body: &Bytes,
    grammar: &dyn Grammar,
    key: &DigestKey,
    scans: &Scans,
) -> Result<Arc<Scan>, NotInDialect> {
    let scan = Arc::new(Scanner::new(body, grammar, key, Some(scans)).body()?);
    scans.keep(body, &scan);
    Ok(scan)
}

/// How much of a body was scanned.
#[derive(Debug)]
pub(crate) enum Scanned {
    /// All of it.
    Whole(Arc<Scan>),
    /// Its opening, and the messages after it up to the one with which there was enough.
    Begun(Arc<Scan>),
}

/// Scans a body like [`scan_again`]; but where nothing of its conversation is remembered, only as far as it takes to go beyond the
/// opening and to have `enough`. The next scan goes on from there.
///
/// # Errors
/// When it is not what the dialect says.
pub(crate) fn scan_enough(
    body: &Bytes,
    grammar: &dyn Grammar,
    key: &DigestKey,
    scans: &Scans,
    enough: &dyn Fn(&Scan) -> bool,
) -> Result<Scanned, NotInDialect> {
    let mut scanner = Scanner::new(body, grammar, key, Some(scans));
    scanner.enough = Some(enough);
    let read = scanner.read();
    let stopped = scanner.stopped;
    if !stopped {
        read?;
    }
    let scan = Arc::new(scanner.done());
    scans.keep(body, &scan);
    Ok(if stopped {
        Scanned::Begun(scan)
    } else {
        Scanned::Whole(scan)
    })
}

/// The scan of one body as it is being made.
struct Scanner<'a> {
    grammar: &'a dyn Grammar,
    key: &'a DigestKey,
    scans: Option<&'a Scans>,
    /// Tells when the scan of a conversation of which nothing is remembered may stop.
    enough: Option<&'a dyn Fn(&Scan) -> bool>,
    /// Whether it was stopped.
    stopped: bool,
    /// Whether there was a message of the model.
    answered: bool,
    reader: Reader<'a>,
    body: &'a [u8],
    scan: Scan,
}

impl<'a> Scanner<'a> {
    fn new(
        body: &'a [u8],
        grammar: &'a dyn Grammar,
        key: &'a DigestKey,
        scans: Option<&'a Scans>,
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
            enough: None,
            stopped: false,
            answered: false,
            reader: Reader::new(body, key, grammar.cache_markers()),
            body,
            scan,
        }
    }

    fn body(mut self) -> Result<Scan, NotInDialect> {
        self.read()?;
        Ok(self.done())
    }

    fn done(mut self) -> Scan {
        self.scan.trail.markers = self.reader.markers.into_spans();
        self.scan
    }

    fn read(&mut self) -> Result<(), NotInDialect> {
        let (body, grammar) = (self.body, self.grammar);
        let mut cursor = Cursor::new(body);
        let mut messages = None;
        let mut seed = Chain::new(&mut self.reader.digester, grammar.name());
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
                let value = self.reader.markers.pass(cursor, name)?;
                let value = cursor.slice(&value);
                self.scan.asks_thinking |= grammar.asks_thinking(name, value);
                self.scan.references &= !grammar.drops_blocks(name, value);
                if grammar.history_members().contains(&name) && value != b"null" {
                    // Where the blocks stand in that history, and which of them the provider kept, nobody here knows.
                    self.scan.references = false;
                    seed = seed.history(&mut self.reader.digester, name, value);
                }
            }
            Ok(())
        })?;
        cursor.end()?;
        let (mut cursor, begun_with) = messages.ok_or(NotInDialect)?;
        if begun_with != seed {
            // The history was named behind the messages, and their boundaries lack it.
            let mut again = Scanner::new(body, grammar, self.key, None);
            again.messages(&mut cursor, seed)?;
            self.scan.messages = again.scan.messages;
            self.scan.trail.steps.clear();
        }
        self.scan.cache = grammar.cache_life(&self.reader.markers.values());
        Ok(())
    }

    /// Scans the messages at `cursor`, which continue the conversation that `chain` is the digest of.
    fn messages(&mut self, cursor: &mut Cursor<'a>, mut chain: Chain) -> Result<(), NotInDialect> {
        match cursor.kind()? {
            Kind::String => {
                let draft = self.reader.string(cursor)?;
                self.message(&draft, &mut chain)?;
                Ok(())
            }
            Kind::Array => {
                self.scan.trail.messages_at = cursor.place();
                cursor.array(|cursor| {
                    let draft = self.reader.message(cursor)?;
                    let opened = self.message(&draft, &mut chain)?;
                    self.step(cursor.place(), chain);
                    if opened && let Some(step) = self.resume() {
                        *cursor = Cursor::at(self.body, step.end);
                        chain = step.chain;
                    }
                    self.stopped = self.has_enough(cursor.place());
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

    /// Notes what is in a message; whether it is the model's first.
    fn message(&mut self, draft: &Draft<'_>, chain: &mut Chain) -> Result<bool, NotInDialect> {
        let message = u32::try_from(self.scan.messages.len()).map_err(|_| NotInDialect)?;
        let reading = self.grammar.read(draft, self.body);
        let boundary = chain.append(&mut self.reader.digester, self.body, draft);
        self.scan.text_bytes += draft.text_bytes();
        let Reading {
            from_model,
            thinking,
            compacts,
            blocks,
            calls,
        } = reading;
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
                message,
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
        let opened = from_model && !self.answered;
        self.answered |= opened;
        Ok(opened)
    }
}

impl Scanner<'_> {
    /// Notes how far the scan is after a message.
    fn step(&mut self, end: usize, chain: Chain) {
        self.scan.trail.steps.push(Step {
            end,
            chain,
            text_bytes: self.scan.text_bytes,
            blocks: self.scan.blocks.len(),
            calls: self.scan.calls.len(),
            markers: self.reader.markers.spans.len(),
        });
    }

    /// After the model's first message: takes over what the body has in common with the last one of the same conversation, and
    /// gives the step from where to go on.
    fn resume(&mut self) -> Option<Step> {
        let remembered = self.scans?.find(self.scan.opening()?)?;
        remembered.resume(self.body, &mut self.scan, &mut self.reader.markers.spans);
        self.enough = None;
        self.scan.trail.steps.last().cloned()
    }

    /// Whether the scan may stop after the message that ends at `end`: there is enough, and no member that may follow changes the
    /// names of the prefixes.
    fn has_enough(&mut self, end: usize) -> bool {
        if !self.answered || !self.enough.is_some_and(|enough| enough(&self.scan)) {
            return false;
        }
        let rest = &self.body[end..];
        let quoted = |at: usize, name: &[u8]| {
            rest[..at].ends_with(b"\"") && rest[at + name.len()..].starts_with(b"\"")
        };
        let follows = |name: &&[u8]| memmem::find_iter(rest, name).any(|at| quoted(at, name));
        if self.grammar.history_members().iter().any(follows) {
            self.enough = None;
        }
        self.enough.is_some()
    }
}

impl Scan {
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

    /// The first message that the model still sees: those before a compaction are gone.
    pub(crate) fn first_in_sight(&self) -> usize {
        let last = self.messages.iter().rposition(|message| message.compacts);
        last.unwrap_or(0)
    }

    /// The position of the last message with thinking.
    pub(crate) fn last_thinking(&self) -> Option<usize> {
        self.messages.iter().rposition(|message| message.thinking)
    }

    /// For each block how many of the same text stand before it.
    pub(crate) fn same_before(&self) -> Vec<u32> {
        let mut seen: HashMap<BlockId, u32> = HashMap::new();
        let mut next = |block: &Block| {
            let count = seen.entry(block.id).or_default();
            *count += 1;
            *count - 1
        };
        self.blocks.iter().map(&mut next).collect()
    }

    /// Tokens that its messages make, about.
    pub(crate) fn tokens(&self) -> u64 {
        self.facts.tokens(self.text_bytes)
    }

    /// The position of the first block in the message at this position or behind it.
    pub(crate) fn blocks_from(&self, message: usize) -> usize {
        self.blocks
            .partition_point(|block| (block.place.message as usize) < message)
    }

    /// The prefix that is the whole request; `None` if it has no messages.
    pub(crate) fn whole(&self) -> Option<PrefixId> {
        self.messages.last().map(|message| message.boundary)
    }
}
