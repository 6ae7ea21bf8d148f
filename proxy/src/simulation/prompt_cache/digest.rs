//! What a JSON value is to a cache: its hashes and its tokens, read in one pass and without building values.

use std::fmt;

use headroom_shared::compress::estimated_millitokens;
use memchr::memmem;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::limits::Life;
use super::weight::{MEDIA_TOKENS, Weight};

/// The longest piece into which a text is cut, in bytes: about 128 tokens, OpenAI's step.
const PIECE_BYTES: usize = 512;

/// Hashes of a value. White space and escapes count in none of them: providers read the values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Digest {
    /// What a cache compares. The members of a block may stand in any order; in what the model wrote or the client defined (inputs of
    /// tools, schemas) the order counts.
    pub(super) exact: u64,
    /// What the prefix check compares: no order of members counts.
    pub(super) loose: u64,
    /// As `exact`, but long texts, which are cut into pieces, do not count.
    pub(super) shape: u64,
}

impl Digest {
    const fn all(hash: u64) -> Self {
        Self {
            exact: hash,
            loose: hash,
            shape: hash,
        }
    }

    /// Of a value that says nothing.
    pub(super) const NULL: Self = Self::all(1);

    pub(super) fn is_null(self) -> bool {
        self == Self::NULL
    }

    /// Of a name or another string that is not cut into pieces.
    pub(super) fn of_name(name: &str) -> Self {
        Self::all(xxh3_64(name.as_bytes()))
    }

    fn tagged(tag: u64, bytes: &[u8]) -> Self {
        Self::all(xxh3_64_with_seed(bytes, tag))
    }

    /// With one more value behind it.
    pub(super) fn then(self, next: Self) -> Self {
        Self {
            exact: chain(self.exact, next.exact),
            loose: chain(self.loose, next.loose),
            shape: chain(self.shape, next.shape),
        }
    }

    /// With one more member, whose place does not count.
    pub(super) fn with_member(self, name: &str, value: Self) -> Self {
        let name = xxh3_64(name.as_bytes());
        Self {
            exact: self.exact.wrapping_add(chain(name, value.exact)),
            loose: self.loose.wrapping_add(chain(name, value.loose)),
            shape: self.shape.wrapping_add(chain(name, value.shape)),
        }
    }
}

/// The hash of what `before` names with `next` behind it.
pub(super) fn chain(before: u64, next: u64) -> u64 {
    xxh3_64_with_seed(&next.to_le_bytes(), before)
}

const ARRAY: Digest = Digest::all(2);
const OBJECT: Digest = Digest::all(3);
const LONG_TEXT: u64 = 4;
const BOOL: u64 = 5;
const INTEGER: u64 = 6;
const NUMBER: u64 = 7;

/// A part of a text that ends at a line's end or after [`PIECE_BYTES`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) hash: u64,
    pub(super) weight: Weight,
}

/// What was found in a block besides its digest.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// All that it weighs, its pieces too.
    pub(super) weight: Weight,
    pub(super) pieces: Vec<Piece>,
    pub(super) has_image: bool,
    /// Anthropic's marker.
    pub(super) mark: Option<Life>,
    /// OpenAI's marker.
    pub(super) breakpoint: bool,
}

impl Found {
    /// Takes a text that the model reads.
    pub(super) fn text(&mut self, text: &str) -> Digest {
        if text.len() <= PIECE_BYTES {
            self.weight += Weight::millitokens(estimated_millitokens(text));
            return Digest::all(xxh3_64(text.as_bytes()));
        }
        let start = &text.as_bytes()[..128];
        if start.starts_with(b"data:") && memmem::find(start, b";base64,").is_some() {
            self.has_image |= start.starts_with(b"data:image");
            self.weight += Weight::fixed(MEDIA_TOKENS);
            return Digest::all(xxh3_64(text.as_bytes()));
        }
        for piece in pieces(text) {
            let weight = Weight::millitokens(estimated_millitokens(piece));
            self.weight += weight;
            self.pieces.push(Piece {
                hash: xxh3_64(piece.as_bytes()),
                weight,
            });
        }
        Digest {
            shape: LONG_TEXT,
            ..Digest::all(xxh3_64(text.as_bytes()))
        }
    }
}

/// Cuts a text. Where a cut is depends on the text before it only.
fn pieces(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let window = PIECE_BYTES.min(rest.len());
        let window = (0..=window).rev().find(|at| rest.is_char_boundary(*at))?;
        let line = memchr::memrchr(b'\n', &rest.as_bytes()[..window]);
        let piece;
        (piece, rest) = rest.split_at(line.map_or(window, |at| at + 1));
        (!piece.is_empty()).then_some(piece)
    })
}

/// How a value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The model reads it, whatever it is.
    Data,
    /// It counts, but the model does not read it: ids and the like.
    Hidden,
}

/// Reads a value into its digest.
pub(super) struct Reader<'f> {
    found: &'f mut Found,
    place: Place,
}

impl<'f> Reader<'f> {
    pub(super) const fn data(found: &'f mut Found) -> Self {
        let place = Place::Data;
        Self { found, place }
    }

    pub(super) const fn hidden(found: &'f mut Found) -> Self {
        let place = Place::Hidden;
        Self { found, place }
    }

    /// The signs around a value, and what is no text.
    fn signs(&mut self, tokens: u64) {
        if self.place == Place::Data {
            self.found.weight += Weight::tokens(tokens);
        }
    }

    fn inner(&mut self) -> Reader<'_> {
        Reader {
            found: self.found,
            place: self.place,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Digest;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Digest, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Digest;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("any JSON value")
    }

    fn visit_unit<E>(mut self) -> Result<Digest, E> {
        self.signs(1);
        Ok(Digest::NULL)
    }

    fn visit_bool<E>(mut self, value: bool) -> Result<Digest, E> {
        self.signs(1);
        Ok(Digest::tagged(BOOL, &[value.into()]))
    }

    fn visit_i64<E>(mut self, value: i64) -> Result<Digest, E> {
        self.signs(2);
        Ok(Digest::tagged(INTEGER, &i128::from(value).to_le_bytes()))
    }

    fn visit_u64<E>(mut self, value: u64) -> Result<Digest, E> {
        self.signs(2);
        Ok(Digest::tagged(INTEGER, &i128::from(value).to_le_bytes()))
    }

    fn visit_f64<E>(mut self, value: f64) -> Result<Digest, E> {
        self.signs(3);
        Ok(Digest::tagged(NUMBER, &value.to_bits().to_le_bytes()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Digest, E> {
        Ok(match self.place {
            Place::Data => self.found.text(text),
            Place::Hidden => Digest::all(xxh3_64(text.as_bytes())),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Digest, A::Error> {
        let mut digest = ARRAY;
        while let Some(element) = elements.next_element_seed(self.inner())? {
            digest = digest.then(element);
            self.signs(1);
        }
        Ok(digest)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Digest, A::Error> {
        let mut digest = OBJECT;
        let mut loose = 0_u64;
        while let Some(name) = members.next_key_seed(self.inner())? {
            let value = members.next_value_seed(self.inner())?;
            digest = digest.then(name).then(value);
            loose = loose.wrapping_add(chain(name.exact, value.loose));
            self.signs(2);
        }
        digest.loose = chain(OBJECT.loose, loose);
        Ok(digest)
    }
}
