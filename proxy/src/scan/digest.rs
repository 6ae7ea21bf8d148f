//! Rolling digests over a conversation's canonical content.
//!
//! Canonical: role, part types and raw texts, and every other member as it stands, but without `cache_control`, with a
//! string content counting as one text part, and with role, type and content in any order. These are the shapes in which
//! real clients send the same content on one turn and the next.

use headroom_shared::id::{BlockId, Digest, DigestKey, KeyedHasher, PrefixId};

use super::MIN_TOOL_BYTES;
use super::draft::{Draft, Members, Part, Text};

/// Bytes of fields that are gathered before they are hashed: most objects have fewer, and one call for all of them is much
/// cheaper than a hasher of its own.
const GATHERED: usize = 4096;

/// Makes digests under one key.
pub(super) struct Digester {
    /// It was given nothing yet.
    new: KeyedHasher,
    gathered: Vec<u8>,
    /// The digest of no fields.
    nothing: Digest,
}

impl Digester {
    pub(super) fn new(key: &DigestKey) -> Self {
        let new = key.hasher();
        Self {
            nothing: new.digest(&[]),
            new,
            gathered: Vec::with_capacity(GATHERED),
        }
    }

    /// The digest of a message's members that have no meaning of their own.
    pub(super) fn others(&mut self, body: &[u8], others: &Members<'_>) -> Digest {
        if others.is_empty() {
            return self.nothing;
        }
        self.digest(|fields| fields.members(body, others))
    }

    /// The digest of a part: its other members, the parts in it, its type, its own text.
    pub(super) fn part(
        &mut self,
        body: &[u8],
        others: &Members<'_>,
        inner: Option<&[Part<'_>]>,
        (kind, own): (&[u8], Option<&Text>),
    ) -> Digest {
        self.digest(|fields| {
            fields.members(body, others);
            if let Some(inner) = inner {
                fields.parts(inner);
            }
            fields.field(b't', kind);
            match own {
                Some(Text { id: Some(id), .. }) => fields.field(b'b', id.as_bytes()),
                Some(text) => fields.field(b's', &body[text.span.clone()]),
                None => {}
            }
        })
    }

    /// The digest of something that is no part.
    pub(super) fn raw(&mut self, value: &[u8]) -> Digest {
        self.digest(|fields| fields.field(b'w', value))
    }

    /// The id of a text long enough to be a block.
    pub(super) fn block_id(&self, raw: &[u8]) -> Option<BlockId> {
        (raw.len() >= MIN_TOOL_BYTES).then(|| self.new.digest(raw).into())
    }

    fn digest(&mut self, add: impl FnOnce(&mut Fields<'_>)) -> Digest {
        self.gathered.clear();
        let mut fields = Fields {
            new: &self.new,
            gathered: &mut self.gathered,
            hasher: None,
        };
        add(&mut fields);
        fields.finish()
    }
}

/// The digest of a conversation up to some message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain(Digest);

impl Chain {
    /// Nothing yet, in this dialect.
    pub(super) fn new(digester: &mut Digester, dialect: &str) -> Self {
        Self(digester.digest(|fields| fields.field(b'd', dialect.as_bytes())))
    }

    /// The same, continuing a history that the provider keeps under `value`.
    pub(super) fn history(self, digester: &mut Digester, name: &[u8], value: &[u8]) -> Self {
        Self(digester.digest(|fields| {
            fields.bytes(self.0.as_bytes());
            fields.field(b'h', name);
            fields.field(b'v', value);
        }))
    }

    /// Adds a message and names the prefix that ends with it.
    pub(super) fn append(
        &mut self,
        digester: &mut Digester,
        body: &[u8],
        message: &Draft<'_>,
    ) -> PrefixId {
        let others = digester.others(body, &message.others);
        self.0 = digester.digest(|fields| {
            fields.bytes(self.0.as_bytes());
            fields.bytes(others.as_bytes());
            fields.field(b'r', message.role);
            // An item of the Responses API that has a role is a message, whether or not it says so.
            let untyped = message.kind.is_empty() && !message.role.is_empty();
            fields.field(b't', if untyped { b"message" } else { message.kind });
            fields.parts(&message.parts);
        });
        self.0.into()
    }
}

/// The fields of one digest, as they come.
struct Fields<'a> {
    new: &'a KeyedHasher,
    gathered: &'a mut Vec<u8>,
    /// Only where there is more than is gathered.
    hasher: Option<KeyedHasher>,
}

impl Fields<'_> {
    /// Adds an object's members.
    fn members(&mut self, body: &[u8], members: &Members<'_>) {
        for (name, value) in members {
            self.field(b'k', name);
            self.field(b'v', &body[value.clone()]);
        }
    }

    /// Adds a content's parts.
    fn parts(&mut self, parts: &[Part<'_>]) {
        self.field(b'n', &(parts.len() as u64).to_le_bytes());
        for part in parts {
            self.field(b'p', part.digest.as_bytes());
        }
    }

    /// Adds one field: its tag, its length and its bytes, so that no two contents run into the same bytes.
    fn field(&mut self, tag: u8, bytes: &[u8]) {
        let mut head = [tag; 9];
        head[1..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.bytes(&head);
        self.bytes(bytes);
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        if self.gathered.len() + bytes.len() <= GATHERED {
            self.gathered.extend_from_slice(bytes);
        } else {
            self.bytes_beyond(bytes);
        }
    }

    #[inline(never)]
    fn bytes_beyond(&mut self, bytes: &[u8]) {
        let hasher = self.hasher.get_or_insert_with(|| self.new.clone());
        hasher.update(self.gathered).update(bytes);
        self.gathered.clear();
    }

    fn finish(&self) -> Digest {
        let hasher = self.hasher.as_ref().unwrap_or(self.new);
        hasher.digest(self.gathered)
    }
}
