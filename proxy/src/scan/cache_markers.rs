//! Cache markers: the members by which a client asks the provider to cache, wherever in the body they stand.

use std::ops::Range;

use super::json::{Cursor, NotInDialect};

/// The cache markers of one body.
pub(super) struct CacheMarkers<'a> {
    body: &'a [u8],
    names: &'static [&'static [u8]],
    pub(super) spans: Vec<Range<usize>>,
}

impl<'a> CacheMarkers<'a> {
    /// None yet; `names` are the members that are markers.
    pub(super) fn new(body: &'a [u8], names: &'static [&'static [u8]]) -> Self {
        Self {
            body,
            names,
            spans: Vec::new(),
        }
    }

    /// Passes over the value of the member `name` and gives its span; notes the markers in it, and it if it is one.
    pub(super) fn skip_value(
        &mut self,
        cursor: &mut Cursor<'a>,
        name: &[u8],
    ) -> Result<Range<usize>, NotInDialect> {
        if self.is_marker(name) {
            let span = cursor.value()?;
            self.spans.push(span.clone());
            return Ok(span);
        }
        cursor.value_with_keys(|key, cursor| {
            if self.is_marker(key) {
                self.note(cursor.clone());
            }
        })
    }

    /// Whether a member of this name is a marker.
    pub(super) fn is_marker(&self, name: &[u8]) -> bool {
        self.names.contains(&name)
    }

    /// The markers' values, in order.
    pub(super) fn values(&self) -> Vec<&'a [u8]> {
        let value = |span: &Range<usize>| &self.body[span.clone()];
        self.spans.iter().map(value).collect()
    }

    /// Where the markers' values stand, in order.
    pub(super) fn into_spans(self) -> Vec<Range<usize>> {
        self.spans
    }

    /// Notes the marker at `cursor`. One within another does not count: so each byte is read once more at most, however they nest.
    fn note(&mut self, mut cursor: Cursor<'a>) {
        let start = cursor.offset();
        if self.spans.last().is_some_and(|last| start <= last.end) {
            return;
        }
        let end = self.body.len();
        self.spans.push(cursor.value().unwrap_or(start..end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> Vec<&str> {
        let mut markers = CacheMarkers::new(body.as_bytes(), &[b"mark", b"other mark"]);
        // What is read of a body that turns out to be none does not matter.
        let _ = markers.skip_value(&mut Cursor::new(body.as_bytes()), b"");
        let values = markers.values().into_iter();
        values.map(|it| std::str::from_utf8(it).unwrap()).collect()
    }

    #[test]
    fn markers_are_found_at_any_depth_and_not_in_texts() {
        assert_eq!(
            found(r#"{"a":[{"mark": {"t":"1h"} },2],"mark":null,"b":{"c":{"other mark":"x"}}}"#),
            [r#"{"t":"1h"}"#, "null", "\"x\""]
        );
        assert!(found(r#"["mark",{"a":"mark","b":"\"mark\":1"}]"#).is_empty());
        assert_eq!(
            found(r#"{"mark":{"mark":1},"mark":2}"#),
            [r#"{"mark":1}"#, "2"]
        );
    }

    #[test]
    fn markers_within_markers_are_not_read_again_and_again() {
        let depth = 100_000;
        let open = r#"{"mark":"#.repeat(depth);
        let whole = format!("{open}1{}", "}".repeat(depth));
        assert_eq!(found(&whole).len(), 1);
        assert_eq!(found(&open).len(), 1);
    }
}
