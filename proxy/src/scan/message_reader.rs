//! Reads one message into a [`RawMessage`], and adds its parts to the digester.

use headroom_shared::contract::id::DigestKey;
use smallvec::{SmallVec, smallvec};

use super::cache_markers::CacheMarkers;
use super::digest::Digester;
use super::json::{Cursor, Kind, NotInDialect};
use super::raw_message::{Member, Members, Part, RawMessage, SearchResult, Text, is_bare_text};

/// Reads messages.
pub(super) struct MessageReader<'a> {
    pub(super) digester: Digester,
    pub(super) markers: CacheMarkers<'a>,
    /// Bytes of memory that what is found in the message may still take.
    pub(super) memory_left: usize,
    body: &'a [u8],
}

/// The members that every object of a conversation may have, as they are read.
#[derive(Default)]
struct Object<'a> {
    role: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    kind_at: usize,
    others: Members<'a>,
}

impl<'a> Object<'a> {
    /// The part that a string content is equal to.
    fn text() -> Self {
        Self {
            kind: Some(b"text"),
            ..Self::default()
        }
    }

    /// The part of this index that it is, with these texts and search results in it.
    fn part(
        self,
        body: &[u8],
        index: u32,
        (texts, search_results): (SmallVec<[Text; 1]>, Vec<SearchResult<'a>>),
    ) -> Part<'a> {
        Part {
            index,
            is_bare_text: self.is_bare_text(body),
            kind: self.kind.unwrap_or_default(),
            texts,
            search_results,
            others: self.others,
        }
    }

    /// Whether it is a text and nothing more.
    fn is_bare_text(&self, body: &[u8]) -> bool {
        is_bare_text(self.kind.unwrap_or_default(), &self.others, body)
    }
}

/// A message's content.
#[derive(Default)]
struct Content<'a> {
    /// How many parts are in it.
    count: usize,
    /// Those that are objects.
    parts: Vec<Part<'a>>,
}

/// A part's own content.
#[derive(Default)]
struct Inner<'a> {
    /// How many parts are in it.
    count: usize,
    /// The texts of those that are texts and nothing more.
    texts: SmallVec<[Text; 1]>,
    /// The search results among them.
    search_results: Vec<SearchResult<'a>>,
}

impl From<Text> for Inner<'_> {
    fn from(text: Text) -> Self {
        Self {
            count: 1,
            texts: smallvec![text],
            search_results: Vec::new(),
        }
    }
}

impl<'a> MessageReader<'a> {
    /// Reads messages of `body`, in which clients ask for caching by members of these names.
    pub(super) fn new(body: &'a [u8], key: &DigestKey, markers: &'static [&'static [u8]]) -> Self {
        Self {
            digester: Digester::new(key),
            markers: CacheMarkers::new(body, markers),
            memory_left: usize::MAX,
            body,
        }
    }

    /// Reads one message.
    pub(super) fn message(
        &mut self,
        cursor: &mut Cursor<'a>,
    ) -> Result<RawMessage<'a>, NotInDialect> {
        let mut object = Object::default();
        let mut parts = None;
        cursor.object(|cursor, name| match name {
            b"content" | b"output" => set_once(&mut parts, self.content(cursor)?),
            _ => self.member(&mut object, cursor, name),
        })?;
        let Content { count, parts } = parts.unwrap_or_default();
        Ok(RawMessage {
            role: object.role.unwrap_or_default(),
            kind: object.kind.unwrap_or_default(),
            kind_at: object.kind_at,
            count,
            parts,
            others: object.others,
        })
    }

    /// The message that stands for a whole input given as one string.
    pub(super) fn string(
        &mut self,
        cursor: &mut Cursor<'a>,
    ) -> Result<RawMessage<'a>, NotInDialect> {
        let Content { count, parts } = self.content(cursor)?;
        Ok(RawMessage {
            role: b"user",
            kind: b"message",
            kind_at: 0,
            count,
            parts,
            others: Members::new(),
        })
    }

    fn member(
        &mut self,
        object: &mut Object<'a>,
        cursor: &mut Cursor<'a>,
        name: &'a [u8],
    ) -> Result<(), NotInDialect> {
        match name {
            b"role" if cursor.kind()? == Kind::String => set_once(&mut object.role, word(cursor)?),
            b"type" if cursor.kind()? == Kind::String => {
                // Behind the quote that comes next.
                object.kind_at = cursor.offset() + 1;
                set_once(&mut object.kind, word(cursor)?)
            }
            _ => {
                let value = self.markers.skip_value(cursor, name)?;
                // It moves from one turn to the next, and the model does not see it.
                if !self.markers.is_marker(name) {
                    self.take_memory::<Member<'_>>()?;
                    object.others.push((name, value));
                }
                Ok(())
            }
        }
    }

    /// Reads a message's content: a string, an array of parts, or anything else as one part of no type.
    fn content(&mut self, cursor: &mut Cursor<'a>) -> Result<Content<'a>, NotInDialect> {
        let mut content = Content {
            count: 1,
            parts: Vec::new(),
        };
        match cursor.kind()? {
            Kind::String => {
                let text = self.plain_text(cursor, 0)?;
                let texts = (smallvec![text], Vec::new());
                content.parts.push(Object::text().part(self.body, 0, texts));
            }
            Kind::Array => {
                content.count = 0;
                cursor.array(|cursor| {
                    let index = u32::try_from(content.count).map_err(|_| NotInDialect)?;
                    content.count += 1;
                    content.parts.extend(self.part(cursor, index)?);
                    Ok(())
                })?;
            }
            Kind::Object | Kind::Scalar => self.no_part(cursor)?,
        }
        Ok(content)
    }

    /// Reads one part and the parts of its own content; `None` for something that is no object.
    fn part(
        &mut self,
        cursor: &mut Cursor<'a>,
        index: u32,
    ) -> Result<Option<Part<'a>>, NotInDialect> {
        if cursor.kind()? != Kind::Object {
            self.no_part(cursor)?;
            return Ok(None);
        }
        self.take_memory::<Part<'_>>()?;
        let mut object = Object::default();
        let mut own = None;
        let mut inner = None;
        cursor.object(|cursor, name| match name {
            b"text" if cursor.kind()? == Kind::String => {
                set_once(&mut own, self.text(cursor, (index, 0))?)
            }
            b"content" if cursor.kind()? == Kind::String => {
                let text = self.plain_text(cursor, index)?;
                set_once(&mut inner, Inner::from(text))
            }
            b"content" if cursor.kind()? == Kind::Array => {
                let mut parts = Inner::default();
                cursor.array(|cursor| self.inner_part(cursor, index, &mut parts))?;
                set_once(&mut inner, parts)
            }
            _ => self.member(&mut object, cursor, name),
        })?;
        let count = inner.as_ref().map(|inner| inner.count);
        self.digest(&object, count, own.as_ref());
        let found = match (own, inner) {
            (None, Some(inner)) => (inner.texts, inner.search_results),
            (own, None) => (own.into_iter().collect(), Vec::new()),
            // With a text and a content, it is not known which of them the provider reads: neither may be replaced.
            (Some(_), Some(_)) => (SmallVec::new(), Vec::new()),
        };
        Ok(Some(object.part(self.body, index, found)))
    }

    /// Reads one part of the own content of the part at `part`. What it has for a content counts as any other member.
    fn inner_part(
        &mut self,
        cursor: &mut Cursor<'a>,
        part: u32,
        found: &mut Inner<'a>,
    ) -> Result<(), NotInDialect> {
        let index = u32::try_from(found.count).map_err(|_| NotInDialect)?;
        found.count += 1;
        if cursor.kind()? != Kind::Object {
            return self.no_part(cursor);
        }
        let mut object = Object::default();
        let mut own = None;
        cursor.object(|cursor, name| match name {
            b"text" if cursor.kind()? == Kind::String => {
                set_once(&mut own, self.text(cursor, (part, index))?)
            }
            _ => self.member(&mut object, cursor, name),
        })?;
        self.digest(&object, None, own.as_ref());
        match own {
            Some(text) if object.is_bare_text(self.body) => {
                self.take_memory::<Text>()?;
                found.texts.push(text);
            }
            None if object.kind == Some(b"search_result") => {
                self.take_memory::<SearchResult<'_>>()?;
                found.search_results.push(SearchResult {
                    index,
                    others: object.others,
                });
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    /// Digests a part, with so many parts in it and its own text if it has one.
    fn digest(&mut self, object: &Object<'a>, inner: Option<usize>, own: Option<&Text>) {
        let kind = object.kind.unwrap_or_default();
        self.digester
            .part(self.body, &object.others, inner, (kind, own));
    }

    /// A string content: one text part.
    fn plain_text(&mut self, cursor: &mut Cursor<'a>, index: u32) -> Result<Text, NotInDialect> {
        let text = self.text(cursor, (index, 0))?;
        self.digest(&Object::text(), None, Some(&text));
        Ok(text)
    }

    /// Reads something that is no part: it is digested by its bytes alone.
    fn no_part(&mut self, cursor: &mut Cursor<'a>) -> Result<(), NotInDialect> {
        let span = self.markers.skip_value(cursor, b"")?;
        self.digester.raw(cursor.slice(&span));
        Ok(())
    }

    /// Takes the memory that one more of these needs.
    fn take_memory<T>(&mut self) -> Result<(), NotInDialect> {
        let left = self.memory_left.checked_sub(size_of::<T>());
        self.memory_left = left.ok_or(NotInDialect)?;
        Ok(())
    }

    fn text(
        &self,
        cursor: &mut Cursor<'a>,
        (part, inner): (u32, u32),
    ) -> Result<Text, NotInDialect> {
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

/// Reads a short string that decides what something is. No client writes an escape in one.
fn word<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], NotInDialect> {
    let span = cursor.string()?;
    let word = cursor.slice(&span);
    if word.contains(&b'\\') {
        Err(NotInDialect)
    } else {
        Ok(word)
    }
}

/// Sets what may be set only once: of two members with one name, it is not known which the provider reads.
fn set_once<T>(slot: &mut Option<T>, value: T) -> Result<(), NotInDialect> {
    if slot.replace(value).is_some() {
        Err(NotInDialect)
    } else {
        Ok(())
    }
}
