//! Rolling digests over a conversation's canonical content.
//!
//! Canonical: role, part types and raw texts, and every other member as it stands, but without `cache_control`, with a
//! string content counting as one text part, and with role, type and content in any order. These are the shapes in which
//! real clients send the same content on one turn and the next.

use blake3::Hasher;
use headroom_shared::id::{BlockId, DigestKey, PrefixId};

use super::MIN_TOOL_BYTES;
use super::draft::{Draft, Part, Text};

/// The digest of a conversation up to some message.
#[derive(Clone)]
pub(super) struct Chain {
    key: DigestKey,
    state: [u8; 32],
}

impl Chain {
    /// Nothing yet, in this dialect.
    pub(super) fn new(key: &DigestKey, dialect: &str) -> Self {
        let mut hasher = key.hasher();
        field(&mut hasher, b'd', dialect.as_bytes());
        Self {
            key: key.clone(),
            state: *hasher.finalize().as_bytes(),
        }
    }

    /// The same, continuing a history that the provider keeps under `value`.
    pub(super) fn history(self, name: &[u8], value: &[u8]) -> Self {
        self.step(|hasher| {
            field(hasher, b'h', name);
            field(hasher, b'v', value);
        })
    }

    /// Adds a message and names the prefix that ends with it.
    pub(super) fn append(&mut self, message: &Draft<'_>) -> PrefixId {
        *self = self.clone().step(|hasher| {
            hasher.update(message.others_digest.as_bytes());
            field(hasher, b'r', message.role);
            // An item of the Responses API that has a role is a message, whether or not it says so.
            let untyped = message.kind.is_empty() && !message.role.is_empty();
            field(
                hasher,
                b't',
                if untyped { b"message" } else { message.kind },
            );
            parts(hasher, &message.parts);
        });
        blake3::Hash::from_bytes(self.state).into()
    }

    fn step(self, add: impl FnOnce(&mut Hasher)) -> Self {
        let mut hasher = self.key.hasher();
        hasher.update(&self.state);
        add(&mut hasher);
        Self {
            state: *hasher.finalize().as_bytes(),
            key: self.key,
        }
    }
}

/// Adds a content's parts.
pub(super) fn parts(hasher: &mut Hasher, parts: &[Part<'_>]) {
    field(hasher, b'n', &(parts.len() as u64).to_le_bytes());
    for part in parts {
        field(hasher, b'p', part.digest.as_bytes());
    }
}

/// Adds one field: its tag, its length and its bytes, so that no two contents run into the same bytes.
pub(super) fn field(hasher: &mut Hasher, tag: u8, bytes: &[u8]) {
    hasher
        .update(&[tag])
        .update(&(bytes.len() as u64).to_le_bytes())
        .update(bytes);
}

/// Adds a text: a long one by its digest, which names its block too, so that each byte is hashed once.
pub(super) fn text(hasher: &mut Hasher, text: &Text, raw: &[u8]) {
    match text.id {
        Some(id) => field(hasher, b'b', id.as_bytes()),
        None => field(hasher, b's', raw),
    }
}

/// The id of a text long enough to be a block.
pub(super) fn block_id(key: &DigestKey, raw: &[u8]) -> Option<BlockId> {
    (raw.len() >= MIN_TOOL_BYTES).then(|| key.hasher().update(raw).finalize().into())
}
