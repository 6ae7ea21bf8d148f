//! Rolling digests over a conversation's canonical content.
//!
//! Canonical: role, part types and raw texts, and every other member as it stands, but without what asks for caching, with a
//! string content counting as one text part, and with role, type and content in any order. These are the shapes in which
//! real clients send the same content on one turn and the next.

use headroom_shared::contract::id::{BlockId, Digest, DigestKey, KeyedHasher, PrefixId};

use super::MIN_TOOL_BYTES;
use super::draft::{Draft, Members, Text};

/// Bytes of fields that are gathered before they are hashed: most objects have fewer, and one call for all of them is much
/// cheaper than a hasher of its own.
const GATHERED: usize = 4096;
/// Bytes of a field before its own: a tag and a length.
const HEAD: usize = 9;

/// Makes digests under one key. What a message's parts tell is taken in as they are read, and becomes one digest at its end: most
/// parts are so small that a digest of their own would cost more than all the rest of them.
pub(super) struct Digester {
    /// It was given nothing yet.
    new: KeyedHasher,
    gathered: Vec<u8>,
    /// What came before, where there is more than is gathered.
    hasher: Option<KeyedHasher>,
}

impl Digester {
    pub(super) fn new(key: &DigestKey) -> Self {
        Self {
            new: key.hasher(),
            gathered: Vec::with_capacity(GATHERED),
            hasher: None,
        }
    }

    /// Takes in a part: its other members, how many parts are in it (they were taken in before), its type, its own text.
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
            Some(Text { id: Some(id), .. }) => self.field(b'b', id.as_bytes()),
            Some(text) => self.field(b's', &body[text.span.clone()]),
            None => self.field(b'e', &[]),
        }
    }

    /// Takes in something that is no part.
    pub(super) fn raw(&mut self, value: &[u8]) {
        self.field(b'w', value);
    }

    /// The id of a text long enough to be a block.
    pub(super) fn block_id(&self, raw: &[u8]) -> Option<BlockId> {
        (raw.len() >= MIN_TOOL_BYTES).then(|| self.new.digest(raw).into())
    }

    /// Takes in an object's members that have no meaning of their own.
    fn members(&mut self, body: &[u8], members: &Members<'_>) {
        for (name, value) in members {
            self.field(b'k', name);
            self.field(b'v', &body[value.clone()]);
        }
    }

    /// Takes in how many parts came before that belong together.
    fn count(&mut self, parts: usize) {
        self.field(b'n', &(parts as u64).to_le_bytes());
    }

    /// Takes in one field: its tag, its length and its bytes, so that no two contents run into the same bytes.
    fn field(&mut self, tag: u8, bytes: &[u8]) {
        let mut head = [tag; HEAD];
        head[1..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        if self.gathered.len() + HEAD + bytes.len() > GATHERED {
            self.hash_gathered();
        }
        self.gathered.extend_from_slice(&head);
        if HEAD + bytes.len() > GATHERED {
            self.hash_gathered().update(bytes);
        } else {
            self.gathered.extend_from_slice(bytes);
        }
    }

    #[inline(never)]
    fn hash_gathered(&mut self) -> &mut KeyedHasher {
        let hasher = self.hasher.get_or_insert_with(|| self.new.clone());
        hasher.update(&self.gathered);
        self.gathered.clear();
        hasher
    }

    /// The digest of all that was taken in since the last one.
    fn finish(&mut self) -> Digest {
        let digest = match self.hasher.take() {
            Some(hasher) => hasher.digest(&self.gathered),
            None => self.new.digest(&self.gathered),
        };
        self.gathered.clear();
        digest
    }
}

/// The digest of a conversation up to some message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain(Digest);

impl Chain {
    /// Nothing yet, in this dialect.
    pub(super) fn new(digester: &mut Digester, dialect: &str) -> Self {
        digester.field(b'd', dialect.as_bytes());
        Self(digester.finish())
    }

    /// The same, continuing a history that the provider keeps under `value`.
    pub(super) fn history(self, digester: &mut Digester, name: &[u8], value: &[u8]) -> Self {
        digester.field(b'c', self.0.as_bytes());
        digester.field(b'h', name);
        digester.field(b'v', value);
        Self(digester.finish())
    }

    /// Adds a message, whose parts were taken in, and names the prefix that ends with it.
    pub(super) fn append(
        &mut self,
        digester: &mut Digester,
        body: &[u8],
        message: &Draft<'_>,
    ) -> PrefixId {
        digester.count(message.parts.len());
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
