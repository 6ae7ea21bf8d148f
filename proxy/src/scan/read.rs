//! Reads one message into a draft, hashing its members as they go by.

use blake3::Hasher;
use headroom_shared::id::DigestKey;

use super::digest;
use super::draft::{Draft, Members, Part, Text};
use super::json::{Cursor, Kind, Unlike};

impl<'a> Draft<'a> {
    /// Reads one message.
    pub(super) fn read(cursor: &mut Cursor<'a>, key: &DigestKey) -> Result<Self, Unlike> {
        let mut object = Object::new(key);
        let mut parts = None;
        cursor.object(|cursor, name| match name {
            b"content" | b"output" => set(&mut parts, content(cursor, key)?),
            _ => object.member(cursor, name),
        })?;
        Ok(Self {
            role: object.role.unwrap_or_default(),
            kind: object.kind.unwrap_or_default(),
            parts: parts.unwrap_or_default(),
            others: object.others,
            others_digest: object.hasher.finalize(),
        })
    }

    /// The message that stands for a whole input given as one string.
    pub(super) fn of_string(cursor: &mut Cursor<'a>, key: &DigestKey) -> Result<Self, Unlike> {
        Ok(Self {
            role: b"user",
            kind: b"message",
            parts: content(cursor, key)?,
            others: Vec::new(),
            others_digest: key.hasher().finalize(),
        })
    }
}

/// The members that every object of a conversation may have, as they are read.
struct Object<'a> {
    role: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    others: Members<'a>,
    hasher: Hasher,
}

impl<'a> Object<'a> {
    fn new(key: &DigestKey) -> Self {
        Self {
            role: None,
            kind: None,
            others: Vec::new(),
            hasher: key.hasher(),
        }
    }

    fn member(&mut self, cursor: &mut Cursor<'a>, name: &'a [u8]) -> Result<(), Unlike> {
        match name {
            b"role" if cursor.kind()? == Kind::String => set(&mut self.role, word(cursor)?),
            b"type" if cursor.kind()? == Kind::String => set(&mut self.kind, word(cursor)?),
            b"cache_control" => cursor.value().map(drop),
            _ => {
                let value = cursor.value()?;
                digest::field(&mut self.hasher, b'k', name);
                digest::field(&mut self.hasher, b'v', cursor.slice(&value));
                self.others.push((name, value));
                Ok(())
            }
        }
    }

    /// The part that this object is, with its own text if it has one.
    fn into_part(self, own: Option<Text>, cursor: &Cursor<'a>) -> Part<'a> {
        let Self {
            role: _,
            kind,
            others,
            mut hasher,
        } = self;
        let kind = kind.unwrap_or_default();
        digest::field(&mut hasher, b't', kind);
        if let Some(own) = &own {
            digest::text(&mut hasher, own, cursor.slice(&own.span));
        }
        Part {
            kind,
            texts: own.into_iter().collect(),
            others,
            digest: hasher.finalize(),
        }
    }
}

/// Reads a message's content: a string, an array of parts, or anything else as one part of no type.
fn content<'a>(cursor: &mut Cursor<'a>, key: &DigestKey) -> Result<Vec<Part<'a>>, Unlike> {
    let mut parts = Vec::new();
    match cursor.kind()? {
        Kind::String => parts.push(plain_text(cursor, key, 0)?),
        Kind::Array => cursor.array(|cursor| {
            let index = u32::try_from(parts.len()).map_err(|_| Unlike)?;
            parts.push(part(cursor, key, index)?);
            Ok(())
        })?,
        Kind::Object | Kind::Scalar => parts.push(raw(cursor, key)?),
    }
    Ok(parts)
}

/// Reads one part and the parts of its own content.
fn part<'a>(cursor: &mut Cursor<'a>, key: &DigestKey, index: u32) -> Result<Part<'a>, Unlike> {
    if cursor.kind()? != Kind::Object {
        return raw(cursor, key);
    }
    let mut object = Object::new(key);
    let mut own = None;
    let mut inner: Option<Vec<Part<'_>>> = None;
    cursor.object(|cursor, name| match name {
        b"text" if cursor.kind()? == Kind::String => set(&mut own, text(cursor, key, (index, 0))?),
        b"content" if cursor.kind()? == Kind::String => {
            set(&mut inner, vec![plain_text(cursor, key, index)?])
        }
        b"content" if cursor.kind()? == Kind::Array => {
            let mut leaves = Vec::new();
            cursor.array(|cursor| {
                let place = (index, u32::try_from(leaves.len()).map_err(|_| Unlike)?);
                leaves.push(leaf(cursor, key, place)?);
                Ok(())
            })?;
            set(&mut inner, leaves)
        }
        _ => object.member(cursor, name),
    })?;
    if let Some(inner) = &inner {
        digest::parts(&mut object.hasher, inner);
    }
    let mut part = object.into_part(own, cursor);
    let bare = inner.into_iter().flatten().filter(Part::is_bare_text);
    part.texts.extend(bare.flat_map(|part| part.texts));
    Ok(part)
}

/// Reads one part of a part's own content. It may have a text, and no content of its own.
fn leaf<'a>(
    cursor: &mut Cursor<'a>,
    key: &DigestKey,
    place: (u32, u32),
) -> Result<Part<'a>, Unlike> {
    if cursor.kind()? != Kind::Object {
        return raw(cursor, key);
    }
    let mut object = Object::new(key);
    let mut own = None;
    cursor.object(|cursor, name| match name {
        b"text" if cursor.kind()? == Kind::String => set(&mut own, text(cursor, key, place)?),
        _ => object.member(cursor, name),
    })?;
    Ok(object.into_part(own, cursor))
}

/// A string content: one text part.
fn plain_text<'a>(
    cursor: &mut Cursor<'a>,
    key: &DigestKey,
    index: u32,
) -> Result<Part<'a>, Unlike> {
    let text = text(cursor, key, (index, 0))?;
    let mut hasher = key.hasher();
    digest::field(&mut hasher, b't', b"text");
    digest::text(&mut hasher, &text, cursor.slice(&text.span));
    Ok(Part {
        kind: b"text",
        texts: vec![text],
        others: Vec::new(),
        digest: hasher.finalize(),
    })
}

/// Something that is no part: kept by its bytes alone.
fn raw<'a>(cursor: &mut Cursor<'a>, key: &DigestKey) -> Result<Part<'a>, Unlike> {
    let span = cursor.value()?;
    let mut hasher = key.hasher();
    digest::field(&mut hasher, b'w', cursor.slice(&span));
    Ok(Part {
        kind: b"",
        texts: Vec::new(),
        others: Vec::new(),
        digest: hasher.finalize(),
    })
}

fn text(
    cursor: &mut Cursor<'_>,
    key: &DigestKey,
    (part, inner): (u32, u32),
) -> Result<Text, Unlike> {
    let span = cursor.string()?;
    let id = digest::block_id(key, cursor.slice(&span));
    Ok(Text {
        part,
        inner,
        span,
        id,
    })
}

/// Reads a short string that decides what something is. An escape in it is no client's doing.
fn word<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Unlike> {
    let span = cursor.string()?;
    let word = cursor.slice(&span);
    if word.contains(&b'\\') {
        Err(Unlike)
    } else {
        Ok(word)
    }
}

/// Sets what may be set once: of two members with one name, nobody knows which the provider takes.
fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), Unlike> {
    if slot.replace(value).is_some() {
        Err(Unlike)
    } else {
        Ok(())
    }
}
