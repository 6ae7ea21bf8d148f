//! Finds the strings of a JSON text.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::parse::{Document, LazyDocument};

/// Where the contents of all strings of a JSON text stand, keys among them; none where it is not JSON.
pub(in crate::compress) fn strings(json: &LazyDocument<'_>) -> Vec<Range<usize>> {
    let text = json.text;
    let trimmed = text.trim();
    let content = |span: Range<usize>| span.start + 1..span.end - 1;
    match trimmed.as_bytes().first() {
        Some(b'{' | b'[') => {
            let strings = json.get().into_iter().flat_map(Document::strings);
            strings.map(content).collect()
        }
        Some(b'"') if serde_json::from_str::<IgnoredAny>(trimmed).is_ok() => {
            let start = text.len() - text.trim_start().len();
            vec![content(start..start + trimmed.len())]
        }
        _ => Vec::new(),
    }
}
