//! Finds the strings of a JSON text.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::parse::Document;

/// Where the contents of all strings of a JSON text stand, keys among them; none where it is not JSON. `document` parses it.
pub(in crate::compress) fn strings<'a: 'd, 'd>(
    text: &'a str,
    document: impl FnOnce() -> Option<&'d Document<'a>>,
) -> Vec<Range<usize>> {
    let trimmed = text.trim();
    let content = |span: Range<usize>| span.start + 1..span.end - 1;
    match trimmed.as_bytes().first() {
        Some(b'{' | b'[') => {
            let strings = document().into_iter().flat_map(Document::strings);
            strings.map(content).collect()
        }
        Some(b'"') if serde_json::from_str::<IgnoredAny>(trimmed).is_ok() => {
            let start = text.len() - text.trim_start().len();
            vec![content(start..start + trimmed.len())]
        }
        _ => Vec::new(),
    }
}
