//! What a line of a rollout says.
//!
//! Source: Codex, `codex-rs/rollout` (which items and events are written) and `codex-rs/protocol` (their form).

use std::borrow::Cow;

use headroom_shared::contract::usage::Usage;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::replay::transcripts::{stated_usage, timestamp};

/// A line.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// When it was written, in milliseconds since 1970.
    pub(super) at_ms: Option<u64>,
    pub(super) said: Said<'a>,
}

/// What it says.
#[derive(Debug)]
pub(super) enum Said<'a> {
    /// The session begins.
    Begin {
        id: Option<String>,
        /// It continues another one, whose rollout is written again after this line.
        is_fork: bool,
    },
    /// The model that is asked from here on.
    Model(String),
    /// An item of the conversation.
    Item(Item<'a>),
    /// The usage of the last request, and a name of that: all tokens so far.
    Usage(Usage, Option<u64>),
    /// A compaction: the items that are there since.
    Compacted(Vec<Item<'a>>),
    /// A compaction by older versions: only the summary is written, a JSON string.
    Summary(&'a str),
    /// The user went back before so many prompts.
    RolledBack(usize),
    /// Nothing that changes requests.
    Other,
}

/// An item of the conversation, as it is sent.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) json: &'a str,
    pub(super) kind: Kind,
}

/// Whose an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A prompt.
    Prompt,
    /// What the client tells the model before and between prompts.
    Context,
    /// Another item of the client's: the output of a tool, as a rule.
    Client,
    /// The model's reasoning.
    Reasoning,
    /// Another item of the model's.
    Model,
}

#[derive(Deserialize)]
struct Raw<'a> {
    timestamp: Option<Cow<'a, str>>,
    #[serde(rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    id: Option<String>,
    forked_from_id: Option<IgnoredAny>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct TurnContext {
    model: Option<String>,
}

#[derive(Deserialize)]
struct Compacted<'a> {
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    replacement_history: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct EventMessage<'a> {
    #[serde(rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    info: Option<TokenInfo<'a>>,
    num_turns: Option<usize>,
}

#[derive(Deserialize)]
struct TokenInfo<'a> {
    total_token_usage: Option<Total>,
    #[serde(borrow)]
    last_token_usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Total {
    total_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct RawItem<'a> {
    #[serde(rename = "type")]
    kind: Cow<'a, str>,
    role: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    text: Option<Cow<'a, str>>,
}

impl<'a> Line<'a> {
    /// What a line says.
    ///
    /// # Errors
    /// When it is broken, or of another form.
    pub(super) fn of(line: &'a [u8]) -> Result<Self, serde_json::Error> {
        let raw: Raw<'a> = serde_json::from_slice(line)?;
        let at_ms = raw.timestamp.as_deref().and_then(timestamp::milliseconds);
        let kind = raw.kind.as_deref();
        let said = match (kind, raw.payload) {
            (Some(kind), Some(payload)) => Said::of(kind, payload)?,
            (Some(_), None) => Said::item(serde_json::from_slice(line)?)?,
            // The first line of older rollouts, or the record of a state.
            (None, _) if raw.timestamp.is_some() => Said::Begin {
                id: raw.id.map(Cow::into_owned),
                is_fork: false,
            },
            (None, _) => Said::Other,
        };
        Ok(Self { at_ms, said })
    }
}

impl<'a> Said<'a> {
    fn of(kind: &str, payload: &'a RawValue) -> Result<Self, serde_json::Error> {
        let json = payload.get();
        match kind {
            "response_item" => Self::item(payload),
            "event_msg" => Self::event(json),
            "session_meta" => {
                let meta: Meta<'_> = serde_json::from_str(json)?;
                // Of a sub-agent it is an object, with the session that it belongs to.
                let is_agent = meta
                    .source
                    .is_some_and(|source| source.get().starts_with('{'));
                Ok(Self::Begin {
                    id: meta.id,
                    is_fork: meta.forked_from_id.is_some() || is_agent,
                })
            }
            "turn_context" => {
                let context: TurnContext = serde_json::from_str(json)?;
                Ok(context.model.map_or(Self::Other, Self::Model))
            }
            "compacted" => {
                let compacted: Compacted<'a> = serde_json::from_str(json)?;
                let Some(items) = compacted.replacement_history else {
                    let summary = compacted.message.map(RawValue::get);
                    let summary = summary.filter(|json| json.starts_with('"'));
                    return Ok(summary.map_or(Self::Other, Self::Summary));
                };
                let items = items.into_iter().map(Item::of);
                let items: Result<Vec<_>, _> = items.collect();
                Ok(Self::Compacted(items?.into_iter().flatten().collect()))
            }
            _ => Ok(Self::Other),
        }
    }

    fn item(json: &'a RawValue) -> Result<Self, serde_json::Error> {
        Ok(Item::of(json)?.map_or(Self::Other, Self::Item))
    }

    fn event(json: &'a str) -> Result<Self, serde_json::Error> {
        let event: EventMessage<'_> = serde_json::from_str(json)?;
        let usage = event.info.and_then(|info| {
            let usage = stated_usage::openai(info.last_token_usage?)?;
            Some(Self::Usage(usage, info.total_token_usage?.total_tokens))
        });
        Ok(match event.kind.as_deref() {
            Some("token_count") => usage.unwrap_or(Self::Other),
            Some("thread_rolled_back") => Self::RolledBack(event.num_turns.unwrap_or(0)),
            _ => Self::Other,
        })
    }
}

impl<'a> Item<'a> {
    /// The item in this JSON; `None` of one that is not sent.
    fn of(json: &'a RawValue) -> Result<Option<Self>, serde_json::Error> {
        let item: RawItem<'_> = serde_json::from_str(json.get())?;
        let kind = match (&*item.kind, item.role.as_deref()) {
            ("ghost_snapshot" | "compaction_trigger" | "other", _) => return Ok(None),
            ("message", Some("assistant")) => Kind::Model,
            ("message", Some("user")) if !item.content.is_some_and(is_context) => Kind::Prompt,
            ("message", _) => Kind::Context,
            ("reasoning", _) => Kind::Reasoning,
            (kind, _) if kind.ends_with("_call") => Kind::Model,
            _ => Kind::Client,
        };
        let json = json.get();
        Ok(Some(Self { json, kind }))
    }
}

/// Whether a message in the user's name is what the client tells of the project and the machine.
fn is_context(content: &RawValue) -> bool {
    let parts: Vec<Part<'_>> = serde_json::from_str(content.get()).unwrap_or_default();
    let text = parts.into_iter().find_map(|part| part.text);
    let text = text.unwrap_or_default();
    let marks = [
        "<environment_context>",
        "<user_instructions>",
        "# AGENTS.md",
    ];
    marks.iter().any(|mark| text.trim_start().starts_with(mark))
}
