//! Rolling digests over a conversation's canonical content: they name its prefixes.
//!
//! The canonical content is role, part types, raw texts and every other member as it stands, without cache markers; a string content counts
//! as one text part, and role, type and content may stand in any order. Real clients send the same content in all of these shapes, on one
//! turn and the next.

use headroom_shared::contract::id::{BlockId, Digest, DigestKey, KeyedHasher, PrefixId};

use super::MIN_TOOL_BYTES;
use super::raw_message::{Members, RawMessage, Text};

/// Bytes of fields that are buffered before they are hashed: most objects have fewer, and one call for all of them is much cheaper than a
/// hasher of its own.
const BUFFERED: usize = 4096;
/// Bytes of a field before its own: a tag and a length.
const HEAD: usize = 9;
/// A text from so many bytes on is in a message's digest by its own: its bytes are hashed once. Changing this changes the names of prefixes.
const MIN_NAMED_BYTES: usize = 512;

/// Makes digests under one key. The parts of a message are added as they are read, and become one digest at its end: most parts are so
/// small that a digest of their own would cost more than all the rest of them.
pub(super) struct Digester {
    /// A hasher that was given nothing yet.
    new: KeyedHasher,
    buffer: Vec<u8>,
    /// Has what came before the buffer, where there is any.
    hasher: Option<KeyedHasher>,
}

impl Digester {
    pub(super) fn new(key: &DigestKey) -> Self {
        Self {
            new: key.hasher(),
            buffer: Vec::with_capacity(BUFFERED),
            hasher: None,
        }
    }

    /// Adds a part: its other members, how many parts are in it (they were added before), its type, its own text.
    pub(super) fn part(
        &mut self,
        body: &[u8],
        others: &Members<'_>,
        inner: Option<usize>,
        (kind, own): (&[u8], Option<&Text>),
    ) {
        self.members(body, others);
        if let Some(inner) = inner {
            self.count(inner);
        }
        self.field(b't', kind);
        // The last field of a part, and of nothing else: where one ends and the next begins is never in doubt.
        match own {
            Some(Text {
                id: Some(id), span, ..
            }) if span.len() >= MIN_NAMED_BYTES => {
                self.field(b'b', id.as_bytes());
            }
            Some(text) => self.field(b's', &body[text.span.clone()]),
            None => self.field(b'e', &[]),
        }
    }

    /// Adds something that is no part.
    pub(super) fn raw(&mut self, value: &[u8]) {
        self.field(b'w', value);
    }

    /// One that was given nothing yet, for something that is no message.
    pub(super) const fn new_hasher(&self) -> &KeyedHasher {
        &self.new
    }

    /// The id of a text long enough to be a block.
    pub(super) fn block_id(&self, raw: &[u8]) -> Option<BlockId> {
        (raw.len() >= MIN_TOOL_BYTES).then(|| self.new.digest(raw).into())
    }

    /// Adds an object's members that have no meaning of their own.
    fn members(&mut self, body: &[u8], members: &Members<'_>) {
        for (name, value) in members {
            self.field(b'k', name);
            self.field(b'v', &body[value.clone()]);
        }
    }

    /// Adds how many of the parts before belong together.
    fn count(&mut self, parts: usize) {
        self.field(b'n', &(parts as u64).to_le_bytes());
    }

    /// Adds one field: its tag, its length and its bytes, so that no two contents make the same bytes.
    fn field(&mut self, tag: u8, bytes: &[u8]) {
        let mut head = [tag; HEAD];
        head[1..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        if self.buffer.len() + HEAD + bytes.len() > BUFFERED {
            self.hash_buffer();
        }
        self.buffer.extend_from_slice(&head);
        if HEAD + bytes.len() > BUFFERED {
            self.hash_buffer().update(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    #[inline(never)]
    fn hash_buffer(&mut self) -> &mut KeyedHasher {
        let hasher = self.hasher.get_or_insert_with(|| self.new.clone());
        hasher.update(&self.buffer);
        self.buffer.clear();
        hasher
    }

    /// The digest of all that was added since the last one.
    fn finish(&mut self) -> Digest {
        let digest = match self.hasher.take() {
            Some(hasher) => hasher.digest(&self.buffer),
            None => self.new.digest(&self.buffer),
        };
        self.buffer.clear();
        digest
    }
}

/// The digest of a conversation up to some message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RollingDigest(Digest);

impl RollingDigest {
    /// The digest of no message yet, in this dialect.
    pub(super) fn new(digester: &mut Digester, dialect: &str) -> Self {
        digester.field(b'd', dialect.as_bytes());
        Self(digester.finish())
    }

    /// The same, continuing a history that the provider has stored under `value`.
    pub(super) fn history(self, digester: &mut Digester, name: &[u8], value: &[u8]) -> Self {
        digester.field(b'c', self.0.as_bytes());
        digester.field(b'h', name);
        digester.field(b'v', value);
        Self(digester.finish())
    }

    /// Adds a message, whose parts were added to `digester` before, and names the prefix that ends with it.
    pub(super) fn append(
        &mut self,
        digester: &mut Digester,
        body: &[u8],
        message: &RawMessage<'_>,
    ) -> PrefixId {
        digester.count(message.count);
        digester.members(body, &message.others);
        digester.field(b'r', message.role);
        // An item of the Responses API that has a role is a message, whether or not it says so.
        let untyped = message.kind.is_empty() && !message.role.is_empty();
        digester.field(b't', if untyped { b"message" } else { message.kind });
        digester.field(b'c', self.0.as_bytes());
        self.0 = digester.finish();
        self.0.into()
    }
}
