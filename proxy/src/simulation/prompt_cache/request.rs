//! A request as a cache sees it.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::digest::chain;
use super::limits::Life;
use super::message::Block;
use super::message_reader::content;
use crate::dialect::{DIALECTS, Endpoint};

/// A request format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Anthropic Messages.
    Messages,
    /// OpenAI Chat Completions.
    Chat,
    /// OpenAI Responses.
    Responses,
}

impl Format {
    /// That of the requests to this path, with or without a query; `None` where such requests are not billed.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or_default();
        let endpoint = Endpoint::of(path).filter(Endpoint::is_billed)?;
        let at = DIALECTS
            .iter()
            .position(|dialect| dialect.path() == endpoint.dialect.path())?;
        [Self::Messages, Self::Chat, Self::Responses]
            .get(at)
            .copied()
    }
}

/// A request in pieces.
#[derive(Debug, Clone, Copy)]
pub struct CacheRequest<'a> {
    /// Its format.
    pub format: Format,
    /// The model that it names.
    pub model: &'a str,
    /// All of it that is no message.
    pub head: &'a Head,
    /// The elements of `messages` or `input`, each as JSON, in order.
    pub messages: &'a [&'a [u8]],
}

/// What a request has before its messages, and what it asks of the cache.
#[derive(Debug, Default)]
pub struct Head {
    pub(super) tools: Vec<Block>,
    pub(super) system: Vec<Block>,
    /// Names the settings of which a change makes Anthropic miss the messages.
    pub(super) settings: u64,
    /// `cache_control` at the top level.
    pub(super) marks_last: Option<Life>,
    /// `prompt_cache_retention: "24h"`.
    pub(super) asks_for_a_day: bool,
    /// `prompt_cache_options.mode: "explicit"`.
    pub(super) is_explicit: bool,
    /// `thinking.block_binding.prefix_mismatch_behavior: "drop_block"`.
    pub(super) drops_thinking: bool,
}

impl Head {
    /// One of which only this is known: `id` names it (tools, system prompt and settings), it has so many `tokens` of its model in so many
    /// `blocks`, and the last of these has a marker for so long, if any.
    #[must_use]
    pub fn assumed(id: u64, tokens: u64, blocks: u32, marked: Option<Life>) -> Self {
        let blocks = u64::from(blocks.max(1));
        let block = |at| {
            let rest = if at == 0 { tokens % blocks } else { 0 };
            Block::assumed(chain(id, at), tokens / blocks + rest)
        };
        let mut system: Vec<Block> = (0..blocks).map(block).collect();
        if let Some(last) = system.last_mut() {
            last.mark = marked;
        }
        Self {
            system,
            settings: id,
            ..Self::default()
        }
    }

    /// With a marker on the request's last block that takes one, as `cache_control` at the top level sets it.
    #[must_use]
    pub const fn marking_last(mut self, life: Life) -> Self {
        self.marks_last = Some(life);
        self
    }

    /// That of a body in this format.
    fn of_body(format: Format, body: &Members<'_>) -> Self {
        let value = |name: &str| body.value(name);
        let read = |name: &str| body.raw(name).map(content).unwrap_or_default();
        let mut thinking = value("thinking");
        let binding = thinking.as_object_mut();
        let binding = binding.and_then(|thinking| thinking.remove("block_binding"));
        let settings = [thinking, value("tool_choice"), value("output_config")];
        let settings = settings.iter().fold(0, |before, setting| {
            chain(
                before,
                xxhash_rust::xxh3::xxh3_64(setting.to_string().as_bytes()),
            )
        });
        Self {
            tools: read("tools"),
            system: read(if format == Format::Responses {
                "instructions"
            } else {
                "system"
            }),
            settings,
            marks_last: Life::of_mark(&value("cache_control")),
            asks_for_a_day: value("prompt_cache_retention") == "24h",
            is_explicit: value("prompt_cache_options")["mode"] == "explicit",
            drops_thinking: binding
                .is_some_and(|binding| binding["prefix_mismatch_behavior"] == "drop_block"),
        }
    }

    pub(super) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.tools.iter().chain(&self.system)
    }
}

/// A request's body, split.
#[derive(Debug)]
pub struct CacheBody<'a> {
    format: Format,
    model: Cow<'a, str>,
    head: Head,
    messages: Vec<&'a [u8]>,
}

impl<'a> CacheBody<'a> {
    /// Splits the body of a request to this path. Nothing where no format belongs to the path, or the body is no JSON object. What is not as
    /// the format has it is left out.
    #[must_use]
    pub fn split(path: &str, body: &'a [u8]) -> Option<Self> {
        let format = Format::of_path(path)?;
        let members = Members(serde_json::from_slice(body).ok()?);
        let model = match members.value("model") {
            Value::String(model) => Cow::Owned(model),
            _ => Cow::Borrowed(""),
        };
        let name = if format == Format::Responses {
            "input"
        } else {
            "messages"
        };
        let messages = match members.raw(name) {
            // An input that is one string is the user's message.
            Some(text @ [b'"', ..]) => vec![text],
            Some(list) => {
                let list: Vec<&RawValue> = serde_json::from_slice(list).unwrap_or_default();
                list.iter().map(|raw| raw.get().as_bytes()).collect()
            }
            None => Vec::new(),
        };
        let head = Head::of_body(format, &members);
        Some(Self {
            format,
            model,
            head,
            messages,
        })
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> CacheRequest<'_> {
        CacheRequest {
            format: self.format,
            model: &self.model,
            head: &self.head,
            messages: &self.messages,
        }
    }
}

/// The members of a body. Of two with the same name the last one counts.
#[derive(Debug)]
struct Members<'a>(HashMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    fn raw(&self, name: &str) -> Option<&'a [u8]> {
        self.0.get(name).map(|raw| raw.get().as_bytes())
    }

    /// The value of a member; null without one.
    fn value(&self, name: &str) -> Value {
        let raw = self.0.get(name);
        raw.and_then(|raw| raw.get().parse().ok())
            .unwrap_or_default()
    }
}
