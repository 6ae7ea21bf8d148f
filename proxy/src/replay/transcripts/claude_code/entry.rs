//! The entries of a transcript of Claude Code: a line each, as far as requests are made of them.
//!
//! Source: the transcripts of versions 1.0 to 2.1, and how public programs read them (`ccusage` for what is a request; descriptions of the
//! client's session storage for what is sent). There is no documentation of the format.

use std::borrow::Cow;

use headroom_shared::contract::usage::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::replay::transcripts::{stated_usage, timestamp};

/// Where an entry belongs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Link {
    pub(super) uuid: Option<Box<str>>,
    /// The entry that it follows; null where a history begins.
    pub(super) parent_uuid: Option<Box<str>>,
    pub(super) session_id: Option<Box<str>>,
    pub(super) agent_id: Option<Box<str>>,
    pub(super) is_sidechain: Option<bool>,
}

/// A line.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    uuid: Option<Box<str>>,
    parent_uuid: Option<Box<str>>,
    session_id: Option<Box<str>>,
    agent_id: Option<Box<str>>,
    is_sidechain: Option<bool>,
    #[serde(rename = "type")]
    kind: Option<Cow<'a, str>>,
    subtype: Option<Cow<'a, str>>,
    timestamp: Option<Cow<'a, str>>,
    request_id: Option<Cow<'a, str>>,
    is_compact_summary: Option<bool>,
    is_api_error_message: Option<bool>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    compact_metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    id: Option<Cow<'a, str>>,
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// What a compaction kept of the history before it: messages that stand in the file before the compaction and follow its summary.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CompactMetadata {
    preserved_segment: Option<PreservedSegment>,
    preserved_messages: Option<PreservedMessages>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PreservedSegment {
    head_uuid: Box<str>,
    anchor_uuid: Box<str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PreservedMessages {
    anchor_uuid: Box<str>,
    uuids: Vec<Box<str>>,
}

/// An entry, as far as it tells what was sent.
#[derive(Debug)]
pub(super) enum Entry {
    /// Of the client's side: typed words, results of tools, what the client adds.
    User {
        blocks: Vec<Block>,
        at_ms: Option<u64>,
        /// It begins a history.
        is_summary: bool,
    },
    /// Blocks of a response: one, as a rule.
    Assistant(Response),
    /// A new history begins. What is kept of the one before it, if anything is: its first message, and the entry that this now follows.
    Compaction(Option<(Box<str>, Box<str>)>),
    /// It is not sent: what the client notes for itself, and what it shows of errors.
    Other,
}

/// What an entry tells of a response.
#[derive(Debug)]
pub(super) struct Response {
    /// Names the response: the ids of message and request.
    pub(super) id: Option<[Box<str>; 2]>,
    pub(super) model: Box<str>,
    pub(super) usage: Option<Usage>,
    pub(super) at_ms: Option<u64>,
    pub(super) blocks: Vec<Block>,
}

/// A part of a message's content.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) kind: Kind,
    /// Its JSON.
    pub(super) json: Box<str>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole content that is a string.
    Plain,
    /// Thinking, readable or not.
    Thinking,
    /// A tool's call, with its id.
    ToolUse(Box<str>),
    /// A tool's result, with the id of the call.
    ToolResult(Box<str>),
    Other,
}

/// The entry in a line and where it belongs; without the entry where only its place can be read, and `None` where that can't either.
pub(super) fn parse(line: &[u8]) -> Option<(Link, Option<Entry>)> {
    let Ok(mut line) = serde_json::from_slice::<Line<'_>>(line) else {
        return Some((serde_json::from_slice(line).ok()?, None));
    };
    let link = Link {
        uuid: line.uuid.take(),
        parent_uuid: line.parent_uuid.take(),
        session_id: line.session_id.take(),
        agent_id: line.agent_id.take(),
        is_sidechain: line.is_sidechain,
    };
    Some((link, line.entry().ok()))
}

impl Line<'_> {
    fn entry(self) -> Result<Entry, serde_json::Error> {
        if self.kind.as_deref() == Some("system") {
            let is_compaction = self.subtype.as_deref() == Some("compact_boundary");
            return Ok(if is_compaction {
                Entry::Compaction(self.compact_metadata.and_then(kept))
            } else {
                Entry::Other
            });
        }
        let Some(message) = self.message else {
            return Ok(Entry::Other);
        };
        let at_ms = self.timestamp.as_deref().and_then(timestamp::milliseconds);
        let model = message.model.as_deref().unwrap_or_default();
        let is_shown_only = self.is_api_error_message == Some(true) || model == "<synthetic>";
        let blocks = || message.content.map_or(Ok(Vec::new()), blocks);
        Ok(match self.kind.as_deref() {
            Some("user") => Entry::User {
                blocks: blocks()?,
                at_ms,
                is_summary: self.is_compact_summary == Some(true),
            },
            Some("assistant") if !is_shown_only => Entry::Assistant(Response {
                id: message.id.as_deref().map(|id| {
                    let request = self.request_id.as_deref().unwrap_or_default();
                    [id, request].map(Box::from)
                }),
                model: model.into(),
                usage: message.usage.and_then(stated_usage::anthropic),
                at_ms,
                blocks: blocks()?,
            }),
            _ => Entry::Other,
        })
    }
}

/// The first message that a compaction kept, and the entry that it follows since.
fn kept(json: &RawValue) -> Option<(Box<str>, Box<str>)> {
    let metadata: CompactMetadata = serde_json::from_str(json.get()).ok()?;
    if let Some(segment) = metadata.preserved_segment {
        return Some((segment.head_uuid, segment.anchor_uuid));
    }
    let messages = metadata.preserved_messages?;
    let first = messages.uuids.into_iter().next()?;
    Some((first, messages.anchor_uuid))
}

/// The blocks of a message's content: a string is one of its own kind. None of an empty one, which the provider would refuse.
fn blocks(content: &RawValue) -> Result<Vec<Block>, serde_json::Error> {
    let json = content.get();
    if json.starts_with('"') {
        let kind = Kind::Plain;
        let block = Block {
            kind,
            json: json.into(),
        };
        return Ok(Vec::from_iter((json != "\"\"").then_some(block)));
    }
    let parts: Vec<&RawValue> = serde_json::from_str(json)?;
    let blocks = parts.into_iter().map(|part| {
        let head: Head<'_> = serde_json::from_str(part.get())?;
        let kind = match (&*head.kind, head.id, head.tool_use_id) {
            ("thinking" | "redacted_thinking", ..) => Kind::Thinking,
            ("tool_use", Some(id), _) => Kind::ToolUse(id.into()),
            ("tool_result", _, Some(id)) => Kind::ToolResult(id.into()),
            _ => Kind::Other,
        };
        Ok(Block {
            kind,
            json: part.get().into(),
        })
    });
    blocks.collect()
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    id: Option<Cow<'a, str>>,
    tool_use_id: Option<Cow<'a, str>>,
}
