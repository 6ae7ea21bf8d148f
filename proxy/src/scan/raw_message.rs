//! One message as it stands in the body, in the shape that all dialects share: a role or type, a content of parts, and other members.

use std::ops::Range;

use headroom_shared::contract::id::BlockId;
use smallvec::SmallVec;

/// A message before its dialect has said what it means.
#[derive(Debug)]
pub(crate) struct RawMessage<'a> {
    /// The `role`; empty if none.
    pub(crate) role: &'a [u8],
    /// The `type`; empty if none.
    pub(crate) kind: &'a [u8],
    /// Where the `type` stands in the body.
    pub(super) kind_at: usize,
    /// How many parts are in the `content` (or `output`).
    pub(super) count: usize,
    /// Those of them that are objects; one text where the content is a string.
    pub(crate) parts: Vec<Part<'a>>,
    /// All other members: key and value.
    pub(crate) others: Members<'a>,
}

/// Members that a model reads as text beside the texts themselves: thoughts, and the inputs of tool calls.
const READ_AS_TEXT: [&[u8]; 6] = [
    b"thinking",
    b"reasoning_content",
    b"input",
    b"arguments",
    b"tool_calls",
    b"name",
];

impl RawMessage<'_> {
    /// Bytes that a model reads as text.
    pub(super) fn text_bytes(&self) -> usize {
        let parts = self.parts.iter();
        let texts = parts
            .clone()
            .flat_map(|part| &part.texts)
            .map(|text| text.span.len());
        let members = self
            .others
            .iter()
            .chain(parts.flat_map(|part| &part.others));
        let members = members.filter(|(name, _)| READ_AS_TEXT.contains(name));
        texts.chain(members.map(|(_, span)| span.len())).sum()
    }

    /// Where its `type` stands in the body, between the quotes.
    pub(crate) fn kind_span(&self) -> Range<usize> {
        self.kind_at..self.kind_at + self.kind.len()
    }
}

/// One part of a content.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    /// Which part of the content it is.
    pub(crate) index: u32,
    /// The `type`; `text` where the whole content was a string.
    pub(crate) kind: &'a [u8],
    /// Its own text, or the texts of the parts of its own content that are texts and nothing more.
    pub(crate) texts: SmallVec<[Text; 1]>,
    /// The search results of its own content.
    pub(crate) search_results: Vec<SearchResult<'a>>,
    /// All other members: key and value.
    pub(crate) others: Members<'a>,
    /// Whether it is a text and nothing more.
    pub(crate) is_bare_text: bool,
}

/// A search result in a part's own content.
#[derive(Debug)]
pub(crate) struct SearchResult<'a> {
    /// Which part of the content it is.
    pub(crate) index: u32,
    /// All members but type and role: key and value.
    pub(crate) others: Members<'a>,
}

/// One text in a content.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    /// The part it is in.
    pub(crate) part: u32,
    /// Which text of that part's own content it is.
    pub(crate) inner: u32,
    /// Where it stands in the body: between the quotes, escaped.
    pub(crate) span: Range<usize>,
    /// Its digest, if it is long enough to be a block and was read as a text.
    pub(crate) id: Option<BlockId>,
}

impl Text {
    /// The value of a member, if it is a string, as a text in this part, at this place in the part's own content.
    pub(crate) fn of_value(
        value: &Range<usize>,
        body: &[u8],
        (part, inner): (u32, u32),
    ) -> Option<Self> {
        (body[value.start] == b'"').then(|| Self {
            part,
            inner,
            span: value.start + 1..value.end - 1,
            id: None,
        })
    }
}

/// Members of an object: key and span of the value.
pub(crate) type Members<'a> = SmallVec<[Member<'a>; 4]>;

/// A member of an object: key and span of the value.
pub(crate) type Member<'a> = (&'a [u8], Range<usize>);

/// The member of this name.
pub(crate) fn member(members: &[Member<'_>], name: &str) -> Option<Range<usize>> {
    members
        .iter()
        .find(|(key, _)| *key == name.as_bytes())
        .map(|(_, span)| span.clone())
}

/// The member of this name; `None` where there are several, for it is not known which of them the provider reads.
pub(crate) fn only_member(members: &[Member<'_>], name: &str) -> Option<Range<usize>> {
    let mut named = members.iter().filter(|(key, _)| *key == name.as_bytes());
    let (_, span) = named.next()?;
    named.next().is_none().then(|| span.clone())
}

/// The span between the quotes of the member of this name, if it is a string.
pub(crate) fn string_member(
    members: &[Member<'_>],
    name: &str,
    body: &[u8],
) -> Option<Range<usize>> {
    let span = member(members, name)?;
    (body[span.start] == b'"').then(|| span.start + 1..span.end - 1)
}

/// Whether a part of this type with these other members is a text and nothing more. A list of citations without a citation is nothing.
pub(super) fn is_bare_text(kind: &[u8], others: &Members<'_>, body: &[u8]) -> bool {
    let is_nothing = |(name, value): &Member<'_>| {
        *name == b"citations" && matches!(&body[value.clone()], b"null" | b"[]")
    };
    matches!(kind, b"text" | b"input_text" | b"output_text") && others.iter().all(is_nothing)
}
