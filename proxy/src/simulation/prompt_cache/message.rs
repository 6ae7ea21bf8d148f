//! A message as caches see it: its blocks, each with its hashes, its tokens and its markers.

use headroom_shared::compress::estimated_millitokens;
use xxhash_rust::xxh3::xxh3_64;

use super::digest::{Digest, Piece};
use super::limits::Life;
use super::weight::Weight;

/// A content block, a tool, or what a message has besides its content.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) digest: Digest,
    pub(super) weight: Weight,
    /// The pieces of its long texts, in order.
    pub(super) pieces: Box<[Piece]>,
    /// For how long Anthropic's marker asks to keep what ends here.
    pub(super) mark: Option<Life>,
    /// Whether OpenAI's marker is on it.
    pub(super) breakpoint: bool,
    pub(super) has_image: bool,
    /// Whether Anthropic takes a marker here: not on thinking, and not on an empty text.
    pub(super) takes_mark: bool,
    /// Names thinking, by its signature or its encrypted data.
    pub(super) thinking: Option<u64>,
}

impl Block {
    /// One of which only this is known.
    pub(super) fn assumed(name: u64, tokens: u64) -> Self {
        let digest = Digest {
            exact: name,
            loose: name,
            shape: name,
        };
        Self {
            digest,
            weight: Weight::fixed(tokens),
            takes_mark: true,
            ..Self::default()
        }
    }

    /// What is no JSON, or none that a provider would take.
    pub(super) fn unreadable(raw: &[u8]) -> Self {
        let tokens = estimated_millitokens(&String::from_utf8_lossy(raw));
        Self {
            weight: Weight::millitokens(tokens),
            ..Self::assumed(xxh3_64(raw), 0)
        }
    }
}

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    /// The model: what it said, thought or called.
    Model,
    /// The user or a tool.
    User,
    /// `system` or `developer`.
    Instructions,
}

/// An element of `messages` or `input`.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) speaker: Speaker,
    /// Names its role.
    pub(super) role: u64,
    /// What it has besides its content, such as the calls of a Chat Completion, with its role: counts in OpenAI's formats.
    pub(super) outside: Block,
    /// Its content.
    pub(super) blocks: Vec<Block>,
}

impl Message {
    /// What is no message.
    pub(super) fn unreadable(raw: &[u8]) -> Self {
        Self {
            speaker: Speaker::User,
            role: 0,
            outside: Block::default(),
            blocks: vec![Block::unreadable(raw)],
        }
    }

    pub(super) fn has_image(&self) -> bool {
        self.blocks.iter().any(|block| block.has_image)
    }
}
