//! The pass over a body: reads its messages one after the other, and takes over what the last scan of the same conversation found.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use headroom_shared::contract::id::DigestKey;
use headroom_shared::contract::job::Place;
use headroom_shared::contract::model::Model;
use memchr::memmem;

use super::cached_settings::SettingsMembers;
use super::digest::RollingDigest;
use super::json::{Cursor, Kind, NotInDialect};
use super::message_reader::MessageReader;
use super::raw_message::{RawMessage, Text};
use super::retrieval_offer::offers_retrieval_tool;
use super::scan_cache::{CachedScan, ResumePoint, ScanCache};
use super::{BASE_MEMORY, Block, Call, Grammar, Message, ParsedMessage, Scan};

/// The member that says which tools the model may call, in every dialect.
const TOOL_CHOICE: &[u8] = b"tool_choice";

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
    /// The last scan of the same conversation, where this one continues it.
    earlier: Option<CachedScan>,
    /// Whether a message of the model was read.
    has_model_message: bool,
    /// The ids of calls that code made. Of several calls with one id, the last counts.
    from_code: HashSet<&'a [u8]>,
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
            earlier: None,
            has_model_message: false,
            from_code: HashSet::new(),
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
        let mut settings = SettingsMembers::default();
        cursor.object(|cursor, name| {
            let start = cursor.offset();
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
            let mut of_cache = grammar.cached_settings().iter();
            if let Some(name) = of_cache.find(|it| **it == name) {
                settings.push(name, start..cursor.offset());
            }
            if name == TOOL_CHOICE {
                settings.set_tool_choice(start..cursor.offset());
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
        // What a reference names may hold outputs that are not here, or be a compaction.
        let names_stored = self
            .scan
            .messages
            .iter()
            .any(|message| message.is_reference);
        self.scan.references &= !names_stored;
        let markers = &self.reader.markers;
        self.scan.cache = grammar.cache_life(&markers.values());
        let hasher = self.reader.digester.new_hasher();
        let earlier = self.earlier.as_ref();
        self.scan.settings = earlier
            .and_then(|earlier| earlier.settings(body, &settings))
            .or_else(|| settings.named(body, &markers.spans, hasher));
        self.scan.resume_points.settings = settings;
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
            is_reference,
            is_appended,
            tools,
            blocks,
            calls,
        } = parsed;
        let all_calls = u32::try_from(self.scan.calls.len() + calls.len());
        let before = self.scan.messages.last().map_or(0, |last| last.parts);
        let parts = u32::try_from(message.count.max(1)).unwrap_or(u32::MAX);
        self.scan.messages.push(Message {
            boundary,
            from_model,
            thinking,
            compacts,
            is_reference,
            is_appended,
            offers_retrieval: tools.is_some_and(|tools| offers_retrieval_tool(&self.body[tools])),
            calls: all_calls.map_err(|_| NotInDialect)?,
            parts: before.saturating_add(parts),
        });
        note_calls(&mut self.from_code, &calls, self.body);
        self.scan.calls.extend(calls);
        for (text, call) in blocks {
            self.block(index, text, call);
        }
        let opened = (from_model || is_reference) && !self.has_model_message;
        self.has_model_message |= opened;
        Ok(opened)
    }
}

impl Scanner<'_> {
    /// Adds a block of the message at `message`, unless it is too short or the model does not read it.
    fn block(&mut self, message: u32, text: Text, call: Option<Range<usize>>) {
        let Text {
            part,
            inner,
            span,
            id,
        } = text;
        let raw = &self.body[span.clone()];
        let from_code = |call: &Range<usize>| self.from_code.contains(&self.body[call.clone()]);
        if call.as_ref().is_some_and(from_code) {
            return;
        }
        if id.is_none() {
            // What was read as a text is counted already.
            self.scan.text_bytes += raw.len();
        }
        let Some(id) = id.or_else(|| self.reader.digester.block_id(raw)) else {
            return;
        };
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
        let known = self.scan.calls.len();
        cached.resume(self.body, &mut self.scan, &mut self.reader.markers.spans);
        let calls = &self.scan.calls[known..];
        note_calls(&mut self.from_code, calls, self.body);
        self.stop_when = None;
        self.earlier = Some(cached);
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

/// Notes in `from_code` the ids of those among further calls that code made.
fn note_calls<'a>(from_code: &mut HashSet<&'a [u8]>, calls: &[Call], body: &'a [u8]) {
    if from_code.is_empty() && !calls.iter().any(|call| call.is_from_code) {
        return;
    }
    for call in calls {
        let id = &body[call.id.clone()];
        if call.is_from_code {
            from_code.insert(id);
        } else {
            from_code.remove(id);
        }
    }
}
