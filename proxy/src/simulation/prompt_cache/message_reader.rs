//! Reads a message, a tool or a system prompt into blocks, in one pass and without building values.

use std::fmt;

use headroom_shared::compress::estimated_millitokens;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::digest::{Digest, Found, Reader};
use super::limits::Life;
use super::message::{Block, Message, Speaker};
use super::weight::{BLOCK_TOKENS, MEDIA_TOKENS, Weight};

/// Reads a message. A string is what a user says.
pub(super) fn message(raw: &[u8]) -> Message {
    read(raw, MessageSeed).unwrap_or_else(|| Message::unreadable(raw))
}

/// Reads a content, tools or a system prompt: a string or an array of blocks.
pub(super) fn content(raw: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    match read(raw, Content(Target::Blocks(&mut blocks))) {
        Some(_) => blocks,
        None => vec![Block::unreadable(raw)],
    }
}

fn read<'a, S: DeserializeSeed<'a>>(raw: &'a [u8], seed: S) -> Option<S::Value> {
    let mut json = serde_json::Deserializer::from_slice(raw);
    seed.deserialize(&mut json).ok()
}

/// What a block is, as far as it matters here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Other,
    Text,
    Thinking,
    Image,
}

impl Kind {
    fn named(name: &str) -> Self {
        match name {
            "text" | "input_text" | "output_text" => Self::Text,
            "thinking" | "redacted_thinking" | "reasoning" => Self::Thinking,
            "image" | "image_url" | "input_image" => Self::Image,
            _ => Self::Other,
        }
    }
}

/// The members of a block or a message.
#[derive(Debug, Default)]
struct Members {
    digest: Digest,
    kind: Kind,
    role: Option<String>,
    /// The type of an item that is no message.
    item: Option<String>,
    /// Names thinking.
    thinking: Option<u64>,
    /// What can be read of it.
    thought: Weight,
    signature_bytes: usize,
}

impl Members {
    /// A text, as a string says it and as a block of it does.
    fn text(text: Digest) -> Self {
        let kind = Digest::of_name("text");
        let digest = Digest::default().with_member("type", kind);
        Self {
            digest: digest.with_member("text", text),
            kind: Kind::Text,
            ..Self::default()
        }
    }

    /// Reads them into `found`; but content goes to `blocks`, where that is wanted.
    fn read<'de, A: MapAccess<'de>>(
        mut members: A,
        found: &mut Found,
        mut blocks: Option<&mut Vec<Block>>,
    ) -> Result<Self, A::Error> {
        let mut read = Self::default();
        let before = found.weight;
        while let Some(name) = members.next_key::<String>()? {
            let value = match name.as_str() {
                "cache_control" => {
                    found.mark = Life::of_mark(&members.next_value()?).or(found.mark);
                    continue;
                }
                "prompt_cache_breakpoint" => {
                    found.breakpoint |= !members.next_value::<Value>()?.is_null();
                    continue;
                }
                "type" => read.kind(members.next_value()?),
                "role" => {
                    let role: String = members.next_value()?;
                    let digest = Digest::of_name(&role);
                    read.role = Some(role);
                    digest
                }
                "content" | "output" => {
                    let target = match blocks.as_deref_mut() {
                        Some(blocks) => Target::Blocks(blocks),
                        None => Target::Within(found),
                    };
                    members.next_value_seed(Content(target))?
                }
                "source" => members.next_value_seed(Source(found))?,
                "signature" | "data" | "encrypted_content" => {
                    let sealed: Option<String> = members.next_value()?;
                    sealed.map_or(Digest::NULL, |sealed| read.sealed(&name, &sealed, found))
                }
                "thinking" => {
                    let before = found.weight;
                    let digest = members.next_value_seed(Reader::data(found))?;
                    read.thought = found.weight - before;
                    read.thinking = read.thinking.or(Some(digest.exact));
                    digest
                }
                "id" | "call_id" | "tool_use_id" | "tool_call_id" | "status" => {
                    members.next_value_seed(Reader::hidden(found))?
                }
                _ => members.next_value_seed(Reader::data(found))?,
            };
            if !value.is_null() {
                read.digest = read.digest.with_member(&name, value);
            }
        }
        read.finish(found, before);
        Ok(read)
    }

    /// Takes the type.
    fn kind(&mut self, name: String) -> Digest {
        self.kind = Kind::named(&name);
        let digest = match name.as_str() {
            _ if self.kind == Kind::Text => Digest::of_name("text"),
            // An item without a type is a message.
            "message" => return Digest::NULL,
            other => Digest::of_name(other),
        };
        self.item = Some(name);
        digest
    }

    /// Takes what only the provider can read.
    fn sealed(&mut self, name: &str, sealed: &str, found: &mut Found) -> Digest {
        let digest = Digest::of_name(sealed);
        if !sealed.is_empty() {
            self.thinking = Some(digest.exact);
        }
        if name == "signature" {
            self.signature_bytes = sealed.len();
        } else {
            found.weight += Weight::encrypted(sealed.len());
        }
        digest
    }

    fn finish(&mut self, found: &mut Found, before: Weight) {
        // Where the client is not shown what was thought, the signature holds it.
        if self.thought == Weight::default() {
            found.weight += Weight::encrypted(self.signature_bytes);
        }
        if self.kind == Kind::Image {
            found.has_image = true;
            found.weight = before + Weight::fixed(MEDIA_TOKENS);
        }
        if self.kind != Kind::Thinking {
            self.thinking = None;
        }
    }

    fn speaker(&self) -> Speaker {
        match self.role.as_deref() {
            Some("user" | "tool" | "function") => Speaker::User,
            Some("system" | "developer") => Speaker::Instructions,
            Some(_) => Speaker::Model,
            None => match self.item.as_deref() {
                Some(item) if item.ends_with("_output") => Speaker::User,
                Some(_) => Speaker::Model,
                None => Speaker::User,
            },
        }
    }
}

struct MessageSeed;

impl<'de> DeserializeSeed<'de> for MessageSeed {
    type Value = Message;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Message, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed {
    type Value = Message;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a message or an item")
    }

    fn visit_str<E>(self, text: &str) -> Result<Message, E> {
        let members = Members {
            role: Some("user".to_owned()),
            digest: Digest::default().with_member("role", Digest::of_name("user")),
            ..Members::default()
        };
        let blocks = vec![text_block(text)];
        Ok(with_content(&members, Found::default(), blocks))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Message, A::Error> {
        let (mut found, mut blocks) = (Found::default(), Vec::new());
        let members = Members::read(members, &mut found, Some(&mut blocks))?;
        Ok(with_content(&members, found, blocks))
    }
}

fn block(members: &Members, found: Found) -> Block {
    let is_empty = members.kind == Kind::Text && found.weight == Weight::default();
    Block {
        digest: members.digest,
        weight: found.weight + Weight::tokens(BLOCK_TOKENS),
        pieces: found.pieces.into(),
        mark: found.mark,
        breakpoint: found.breakpoint,
        has_image: found.has_image,
        takes_mark: members.kind != Kind::Thinking && !is_empty,
        thinking: members.thinking,
    }
}

fn with_content(members: &Members, found: Found, blocks: Vec<Block>) -> Message {
    let role = members.role.as_deref().unwrap_or_default();
    Message {
        speaker: members.speaker(),
        role: xxh3_64(role.as_bytes()),
        outside: block(members, found),
        blocks,
    }
}

fn text_block(text: &str) -> Block {
    let mut found = Found::default();
    let digest = found.text(text);
    block(&Members::text(digest), found)
}

/// Where a content goes.
enum Target<'a> {
    /// Each part becomes a block.
    Blocks(&'a mut Vec<Block>),
    /// All of it belongs to one block.
    Within(&'a mut Found),
}

/// Reads a content: a string, which is the same as one text, or an array of parts. Its digest is that of no value where parts become
/// blocks.
struct Content<'a>(Target<'a>);

impl Content<'_> {
    fn push(&mut self, so_far: Digest, members: Members, found: Found) -> Digest {
        match &mut self.0 {
            Target::Blocks(blocks) => {
                blocks.push(block(&members, found));
                so_far
            }
            Target::Within(outer) => {
                outer.weight += found.weight;
                outer.pieces.extend(found.pieces);
                outer.has_image |= found.has_image;
                outer.mark = found.mark.or(outer.mark);
                outer.breakpoint |= found.breakpoint;
                so_far.then(members.digest)
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Content<'_> {
    type Value = Digest;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Digest, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Content<'_> {
    type Value = Digest;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a string or an array of parts")
    }

    fn visit_unit<E>(self) -> Result<Digest, E> {
        Ok(Digest::NULL)
    }

    fn visit_str<E>(mut self, text: &str) -> Result<Digest, E> {
        let mut found = Found::default();
        let text = found.text(text);
        Ok(self.push(Digest::NULL, Members::text(text), found))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, members: A) -> Result<Digest, A::Error> {
        let mut found = Found::default();
        let members = Members::read(members, &mut found, None)?;
        Ok(self.push(Digest::NULL, members, found))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut parts: A) -> Result<Digest, A::Error> {
        let mut digest = Digest::NULL;
        let mut found = Found::default();
        while let Some(members) = parts.next_element_seed(Part(&mut found))? {
            digest = self.push(digest, members, std::mem::take(&mut found));
        }
        Ok(digest)
    }
}

/// Reads a part of a content.
struct Part<'f>(&'f mut Found);

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Members;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Members, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Members;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a part of a content")
    }

    fn visit_str<E>(self, text: &str) -> Result<Members, E> {
        Ok(Members::text(self.0.text(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Members, A::Error> {
        Members::read(members, self.0, None)
    }
}

/// Reads the source of an image or a document: a plain text weighs what it has, anything else the same as an image.
struct Source<'f>(&'f mut Found);

impl<'de> DeserializeSeed<'de> for Source<'_> {
    type Value = Digest;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Digest, D::Error> {
        value.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Source<'_> {
    type Value = Digest;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a source")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Digest, A::Error> {
        let mut digest = Digest::default();
        let (mut kind, mut text) = (None, Weight::default());
        while let Some(name) = members.next_key::<String>()? {
            let value = match name.as_str() {
                "type" => {
                    let name: String = members.next_value()?;
                    let digest = Digest::of_name(&name);
                    kind = Some(name);
                    digest
                }
                "data" => {
                    let data: String = members.next_value()?;
                    if kind.as_deref() != Some("base64") {
                        text = Weight::millitokens(estimated_millitokens(&data));
                    }
                    Digest::of_name(&data)
                }
                "content" => members.next_value_seed(Content(Target::Within(self.0)))?,
                _ => members.next_value_seed(Reader::hidden(self.0))?,
            };
            digest = digest.with_member(&name, value);
        }
        self.0.weight += match kind.as_deref() {
            Some("text") => text,
            Some("content") => Weight::default(),
            _ => Weight::fixed(MEDIA_TOKENS),
        };
        Ok(digest)
    }
}
