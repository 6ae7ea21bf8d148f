//! Finds the strings of a JSON text.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::parse::Document;
use crate::compress::text::Text;

/// Where the contents of all strings of a JSON text stand, keys among them; none where it is not JSON.
pub(in crate::compress) fn strings(text: &Text<'_>) -> Vec<Range<usize>> {
    let trimmed = text.whole.trim();
    let content = |span: Range<usize>| span.start + 1..span.end - 1;
    match trimmed.as_bytes().first() {
        Some(b'{' | b'[') => {
            let strings = text.document().into_iter().flat_map(Document::strings);
            strings.map(content).collect()
        }
        Some(b'"') if serde_json::from_str::<IgnoredAny>(trimmed).is_ok() => {
            let start = text.whole.len() - text.whole.trim_start().len();
            vec![content(start..start + trimmed.len())]
        }
        _ => Vec::new(),
    }
}
