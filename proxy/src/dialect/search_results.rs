//! The texts of Anthropic's `search_result` parts. They may be replaced only where the model does not cite: a citation points into a result
//! by the positions of its texts.

use std::ops::Range;

use crate::scan::{Cursor, Member, NotInDialect, Part, Text, member, only_member};

/// An object with more members than this is no text.
const MOST_MEMBERS: usize = 16;

/// The texts of a part that is a search result; none where they may be cited.
pub(super) fn texts(part: &Part<'_>, body: &[u8]) -> Vec<Text> {
    if may_be_cited(&part.others, body) {
        return Vec::new();
    }
    part.texts.to_vec()
}

/// The texts of the search results in a tool's result. One of several texts stays as it is, for their places would be the same.
pub(super) fn inner_texts<'a>(
    part: &'a Part<'_>,
    body: &'a [u8],
) -> impl Iterator<Item = Text> + 'a {
    part.search_results.iter().filter_map(move |result| {
        if may_be_cited(&result.others, body) {
            return None;
        }
        let value = only_text(&result.others, body)?;
        Text::of_value(&value, body, (part.index, result.index))
    })
}

/// Whether a part with these members asks for citations, or may do so in a way that is not known here.
fn may_be_cited(members: &[Member<'_>], body: &[u8]) -> bool {
    let asks = |value: &[u8]| {
        let citations: Result<Option<Citations>, _> = serde_json::from_slice(value);
        !matches!(citations, Ok(None | Some(Citations { enabled: false })))
    };
    let mut citations = members.iter().filter(|(name, _)| *name == b"citations");
    citations.any(|(_, value)| asks(&body[value.clone()]))
}

/// How a part asks for citations.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Citations {
    enabled: bool,
}

/// Where the text of a search result with these members stands, with its quotes, if there is one and nothing else.
fn only_text(members: &[Member<'_>], body: &[u8]) -> Option<Range<usize>> {
    let content = only_member(members, "content")?;
    if body[content.start] != b'[' {
        return None;
    }
    let mut parts = Vec::new();
    let read = Cursor::at(body, content.start).array(|cursor| {
        let part = cursor.value()?;
        // One more than one is as good as all.
        if parts.len() < 2 {
            parts.push(part);
        }
        Ok(())
    });
    let ([part], Ok(())) = (&parts[..], read) else {
        return None;
    };
    let part = object(part, body)?;
    let kind = member(&part, "type")?;
    (part.len() == 2 && &body[kind] == b"\"text\"")
        .then(|| only_member(&part, "text"))
        .flatten()
}

/// The members of the object at `span`, if it is one.
fn object<'a>(span: &Range<usize>, body: &'a [u8]) -> Option<Vec<Member<'a>>> {
    if body[span.start] != b'{' {
        return None;
    }
    let mut members = Vec::new();
    let read: Result<(), NotInDialect> = Cursor::at(body, span.start).object(|cursor, name| {
        let value = cursor.value()?;
        if members.len() < MOST_MEMBERS {
            members.push((name, value));
            return Ok(());
        }
        Err(NotInDialect)
    });
    read.is_ok().then_some(members)
}
