//! The ids of prefixes, blocks and forms.
//!
//! A prefix or a block is named by 128 bits of `HighwayHash` under a secret key of the deployment, so that a name can't be guessed
//! and nobody can make two contents of one name; and under a key of its own for each tenant, so that one tenant never meets
//! another's records. Every request's new bytes are named on its way: BLAKE3 takes nine times as long for a usual block of 4 kB
//! (3.1 µs against 0.36).

use std::fmt;
use std::str::FromStr;

use highway::{HighwayHash, HighwayHasher, Key};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A digest's length in bytes.
const LENGTH: usize = 16;

/// What a text that should be an id turned out to be.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an id: 32 hexadecimal digits are")]
pub struct NotAnId(String);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; LENGTH]);

        impl $name {
            /// The id whose bytes these are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; LENGTH]) -> Self {
                Self(bytes)
            }

            /// The id's bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; LENGTH] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(const_hex::Buffer::<LENGTH>::new().format(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse_hex(text).map(Self).ok_or_else(|| NotAnId(text.to_owned()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// The digest of some bytes under a [`DigestKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; LENGTH]);

impl Digest {
    /// The digest's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }
}

impl From<Digest> for PrefixId {
    fn from(digest: Digest) -> Self {
        Self(digest.0)
    }
}

impl From<Digest> for BlockId {
    fn from(digest: Digest) -> Self {
        Self(digest.0)
    }
}

impl From<Digest> for SettingsId {
    fn from(digest: Digest) -> Self {
        Self(digest.0)
    }
}

id! {
    /// Names everything in a request up to and including some message: a rolling digest of its canonical content.
    PrefixId
}
id! {
    /// Names a block's text, as it is in the client's body, escaped.
    BlockId
}
id! {
    /// Names a form: one text that is sent in place of one block's.
    FormId
}
id! {
    /// Names all that a provider's cache of a prefix depends on besides its messages: the model, tools, instructions and settings.
    SettingsId
}

id! {
    /// Names a block of the conversations that open alike by its text, wherever that is.
    SentBlockId
}

/// Names the original of a block that is sent in a shortened form, short enough for a model to copy: the first 64 bits of the block's name,
/// in hex digits. Nobody who has not been told it can guess it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OriginalId([u8; ORIGINAL_LENGTH]);

/// The length of an [`OriginalId`] in bytes.
const ORIGINAL_LENGTH: usize = 8;

/// What a text that should name an original turned out to be.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} names no original: 16 hexadecimal digits do, as they stand in the shortened text")]
pub struct NotAnOriginalId(String);

impl OriginalId {
    /// The name of a block's original.
    #[must_use]
    pub const fn of(block: BlockId) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = block.0;
        Self([a, b, c, d, e, f, g, h])
    }

    /// The id's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; ORIGINAL_LENGTH] {
        &self.0
    }
}

impl fmt::Display for OriginalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(const_hex::Buffer::<ORIGINAL_LENGTH>::new().format(&self.0))
    }
}

impl FromStr for OriginalId {
    type Err = NotAnOriginalId;

    fn from_str(text: &str) -> Result<Self, NotAnOriginalId> {
        let mut bytes = [0; ORIGINAL_LENGTH];
        match const_hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if text.len() == 2 * ORIGINAL_LENGTH => Ok(Self(bytes)),
            _ => Err(NotAnOriginalId(text.chars().take(40).collect())),
        }
    }
}

impl Serialize for OriginalId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OriginalId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl PrefixId {
    /// The name of a job for some blocks of a request alone, given the request's whole prefix and the blocks' positions in it: the first 128
    /// bits of a BLAKE3 digest. No conversation has a prefix of this name, and it needs no key, since the prefix is keyed.
    #[must_use]
    pub fn of_part(request: Self, blocks: &[usize]) -> Self {
        let positions: Vec<u8> = blocks
            .iter()
            .flat_map(|position| (*position as u64).to_le_bytes())
            .collect();
        Self(first_bits(&[b"part", request.as_bytes(), &positions]))
    }
}

impl SentBlockId {
    /// The name of a block in conversations with this opening, with so many blocks of the same text before it: the first 128
    /// bits of a BLAKE3 digest. It needs no key, since both ids are keyed.
    #[must_use]
    pub fn of(opening: PrefixId, block: BlockId, same_before: u32) -> Self {
        let before = same_before.to_le_bytes();
        Self(first_bits(&[opening.as_bytes(), block.as_bytes(), &before]))
    }
}

/// The first 128 bits of the BLAKE3 digest of these bytes, one behind the other.
fn first_bits(parts: &[&[u8]]) -> [u8; LENGTH] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut bits = [0; LENGTH];
    bits.copy_from_slice(&hasher.finalize().as_bytes()[..LENGTH]);
    bits
}

impl FormId {
    /// The name of the form with this (escaped) text for this block: the first 128 bits of a BLAKE3 digest.
    ///
    /// Nobody who does not know the block's keyed digest can guess it, and it needs no key: workers make it too.
    #[must_use]
    pub fn of(block: BlockId, text: &str) -> Self {
        Self(first_bits(&[block.as_bytes(), text.as_bytes()]))
    }
}

/// The key under which a tenant's prefixes and blocks are named. Never logged.
#[derive(Clone)]
pub struct DigestKey([u8; 32]);

impl DigestKey {
    /// A fresh secret for a new deployment, from the system's source of randomness.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        bytes[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        Self(*blake3::hash(&bytes).as_bytes())
    }

    /// The key whose bytes these are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes, for the store alone.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of one tenant of this deployment.
    #[must_use]
    pub fn for_tenant(&self, tenant: &[u8]) -> Self {
        Self(*blake3::keyed_hash(&self.0, tenant).as_bytes())
    }

    /// What makes digests under this key.
    #[must_use]
    pub fn hasher(&self) -> KeyedHasher {
        let word =
            |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| self.0[8 * at + byte]));
        KeyedHasher(HighwayHasher::new(Key(std::array::from_fn(word))))
    }
}

/// Makes digests under a [`DigestKey`]. A copy of a new one is cheaper than another new one.
#[derive(Clone)]
pub struct KeyedHasher(HighwayHasher);

impl KeyedHasher {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.append(bytes);
        self
    }

    /// The digest of what was added.
    #[must_use]
    pub fn finish(self) -> Digest {
        let mut bytes = [0; LENGTH];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(self.0.finalize128()) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Digest(bytes)
    }

    /// The digest of these bytes and what was added before.
    #[must_use]
    pub fn digest(&self, bytes: &[u8]) -> Digest {
        let mut hasher = self.clone();
        hasher.update(bytes);
        hasher.finish()
    }
}

impl fmt::Debug for KeyedHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHasher(secret)")
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(secret)")
    }
}

fn parse_hex(text: &str) -> Option<[u8; LENGTH]> {
    // The crate would pass over a leading `0x`.
    let is_whole = text.len() == 2 * LENGTH;
    is_whole
        .then(|| const_hex::decode_to_array(text).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text() {
        let id = PrefixId::from(DigestKey::random().hasher().digest(b"x"));
        assert_eq!(id.to_string().parse::<PrefixId>().unwrap(), id);
        assert!("0g".repeat(16).parse::<PrefixId>().is_err());
        assert!("00".parse::<PrefixId>().is_err());
        assert!("é0".repeat(11).parse::<PrefixId>().is_err());
    }

    #[test]
    fn a_part_is_named_by_its_request_and_its_blocks() {
        let [request, other] = [1, 2].map(|byte| PrefixId::from_bytes([byte; 16]));
        let part = PrefixId::of_part(request, &[3, 4]);
        assert_eq!(part, PrefixId::of_part(request, &[3, 4]));
        for another in [
            PrefixId::of_part(request, &[3]),
            PrefixId::of_part(request, &[4, 3]),
            PrefixId::of_part(other, &[3, 4]),
            request,
        ] {
            assert_ne!(part, another);
        }
    }

    #[test]
    fn tenants_never_share_a_key() {
        let key = DigestKey::random();
        assert_ne!(
            key.for_tenant(b"a").as_bytes(),
            key.for_tenant(b"b").as_bytes()
        );
        assert_ne!(key.for_tenant(b"").as_bytes(), key.as_bytes());
    }
}
