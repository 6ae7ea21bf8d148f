//! Reads one message into a draft, and what its parts tell into the digester.

use headroom_shared::id::DigestKey;
use smallvec::{SmallVec, smallvec};

use super::digest::Digester;
use super::draft::{Draft, Members, Part, Text};
use super::json::{Cursor, Kind, Unlike};
use super::markers::Markers;

/// Reads messages.
pub(super) struct Reader<'a> {
    pub(super) digester: Digester,
    pub(super) markers: Markers<'a>,
    body: &'a [u8],
}

/// The members that every object of a conversation may have, as they are read.
#[derive(Default)]
struct Object<'a> {
    role: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    others: Members<'a>,
}

impl<'a> Reader<'a> {
    /// Reads messages of `body`, in which clients ask for caching by `marker`.
    pub(super) fn new(body: &'a [u8], key: &'a DigestKey, marker: &'static [u8]) -> Self {
        Self {
            digester: Digester::new(key),
            markers: Markers::new(body, marker),
            body,
        }
    }

    /// Reads one message.
    pub(super) fn message(&mut self, cursor: &mut Cursor<'a>) -> Result<Draft<'a>, Unlike> {
        let mut object = Object::default();
        let mut parts = None;
        cursor.object(|cursor, name| match name {
            b"content" | b"output" => set(&mut parts, self.content(cursor)?),
            _ => self.member(&mut object, cursor, name),
        })?;
        Ok(Draft {
            role: object.role.unwrap_or_default(),
            kind: object.kind.unwrap_or_default(),
            parts: parts.unwrap_or_default(),
            others: object.others,
        })
    }

    /// The message that stands for a whole input given as one string.
    pub(super) fn string(&mut self, cursor: &mut Cursor<'a>) -> Result<Draft<'a>, Unlike> {
        Ok(Draft {
            role: b"user",
            kind: b"message",
            parts: self.content(cursor)?,
            others: Members::new(),
        })
    }

    fn member(
        &mut self,
        object: &mut Object<'a>,
        cursor: &mut Cursor<'a>,
        name: &'a [u8],
    ) -> Result<(), Unlike> {
        match name {
            b"role" if cursor.kind()? == Kind::String => set(&mut object.role, word(cursor)?),
            b"type" if cursor.kind()? == Kind::String => set(&mut object.kind, word(cursor)?),
            _ => {
                let value = self.markers.pass(cursor, name)?;
                if name != b"cache_control" {
                    object.others.push((name, value));
                }
                Ok(())
            }
        }
    }

    /// Reads a message's content: a string, an array of parts, or anything else as one part of no type.
    fn content(&mut self, cursor: &mut Cursor<'a>) -> Result<Vec<Part<'a>>, Unlike> {
        match cursor.kind()? {
            Kind::String => Ok(vec![self.plain_text(cursor, 0)?]),
            Kind::Array => {
                let mut parts = Vec::new();
                cursor.array(|cursor| {
                    let index = u32::try_from(parts.len()).map_err(|_| Unlike)?;
                    parts.push(self.part(cursor, index)?);
                    Ok(())
                })?;
                Ok(parts)
            }
            Kind::Object | Kind::Scalar => Ok(vec![self.raw(cursor)?]),
        }
    }

    /// Reads one part and the parts of its own content.
    fn part(&mut self, cursor: &mut Cursor<'a>, index: u32) -> Result<Part<'a>, Unlike> {
        if cursor.kind()? != Kind::Object {
            return self.raw(cursor);
        }
        let mut object = Object::default();
        let mut own = None;
        let mut inner: Option<SmallVec<[Part<'_>; 1]>> = None;
        cursor.object(|cursor, name| match name {
            b"text" if cursor.kind()? == Kind::String => {
                set(&mut own, self.text(cursor, (index, 0))?)
            }
            b"content" if cursor.kind()? == Kind::String => {
                set(&mut inner, smallvec![self.plain_text(cursor, index)?])
            }
            b"content" if cursor.kind()? == Kind::Array => {
                let mut leaves = SmallVec::new();
                cursor.array(|cursor| {
                    let place = (index, u32::try_from(leaves.len()).map_err(|_| Unlike)?);
                    leaves.push(self.leaf(cursor, place)?);
                    Ok(())
                })?;
                set(&mut inner, leaves)
            }
            _ => self.member(&mut object, cursor, name),
        })?;
        let mut part = self.finish(object, inner.as_ref().map(SmallVec::len), own);
        if let Some(inner) = inner {
            if part.texts.is_empty() {
                let bare = inner.into_iter().filter(Part::is_bare_text);
                part.texts.extend(bare.flat_map(|part| part.texts));
            } else {
                // With a text and a content, nobody knows which of them the provider reads: neither may be replaced.
                part.texts.clear();
            }
        }
        Ok(part)
    }

    /// Reads one part of a part's own content. It may have a text, and no content of its own.
    fn leaf(&mut self, cursor: &mut Cursor<'a>, place: (u32, u32)) -> Result<Part<'a>, Unlike> {
        if cursor.kind()? != Kind::Object {
            return self.raw(cursor);
        }
        let mut object = Object::default();
        let mut own = None;
        cursor.object(|cursor, name| match name {
            b"text" if cursor.kind()? == Kind::String => set(&mut own, self.text(cursor, place)?),
            _ => self.member(&mut object, cursor, name),
        })?;
        Ok(self.finish(object, None, own))
    }

    /// The part that an object is, with so many parts in it and its own text if it has one.
    fn finish(&mut self, object: Object<'a>, inner: Option<usize>, own: Option<Text>) -> Part<'a> {
        let kind = object.kind.unwrap_or_default();
        self.digester
            .part(self.body, &object.others, inner, (kind, own.as_ref()));
        Part {
            kind,
            texts: own.into_iter().collect(),
            others: object.others,
        }
    }

    /// A string content: one text part.
    fn plain_text(&mut self, cursor: &mut Cursor<'a>, index: u32) -> Result<Part<'a>, Unlike> {
        let text = self.text(cursor, (index, 0))?;
        let object = Object {
            kind: Some(b"text"),
            ..Object::default()
        };
        Ok(self.finish(object, None, Some(text)))
    }

    /// Something that is no part: kept by its bytes alone.
    fn raw(&mut self, cursor: &mut Cursor<'a>) -> Result<Part<'a>, Unlike> {
        let span = self.markers.pass(cursor, b"")?;
        self.digester.raw(cursor.slice(&span));
        Ok(Part {
            kind: b"",
            texts: SmallVec::new(),
            others: Members::new(),
        })
    }

    fn text(&self, cursor: &mut Cursor<'a>, (part, inner): (u32, u32)) -> Result<Text, Unlike> {
        let span = cursor.string()?;
        let id = self.digester.block_id(cursor.slice(&span));
        Ok(Text {
            part,
            inner,
            span,
            id,
        })
    }
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
