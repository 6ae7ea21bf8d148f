//! The body that goes out: slices of the client's bytes with forms in place of some blocks' texts. Nothing is copied.

use std::ops::Range;

use bytes::Bytes;

/// A body made of slices, to be sent one after the other.
#[derive(Debug, Default)]
pub(crate) struct Rope {
    slices: Vec<Bytes>,
}

impl Rope {
    /// `body` with each span replaced. The spans stand in order and do not overlap.
    pub(crate) fn splice(
        body: &Bytes,
        replacements: impl IntoIterator<Item = (Range<usize>, Bytes)>,
    ) -> Self {
        let mut rope = Self::default();
        let mut at = 0;
        for (span, form) in replacements {
            rope.push(body.slice(at..span.start));
            rope.push(form);
            at = span.end;
        }
        rope.push(body.slice(at..));
        rope
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.slices.iter().map(Bytes::len).sum()
    }

    /// Its slices in their order.
    pub(crate) fn slices(&self) -> impl Iterator<Item = &Bytes> {
        self.slices.iter()
    }

    fn push(&mut self, slice: Bytes) {
        if !slice.is_empty() {
            self.slices.push(slice);
        }
    }
}

impl From<Bytes> for Rope {
    fn from(body: Bytes) -> Self {
        Self::splice(&body, [])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(rope: &Rope) -> Vec<u8> {
        rope.slices
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect()
    }

    #[test]
    fn only_the_spans_change() {
        let body = Bytes::from_static(b"0123456789");
        assert_eq!(flat(&Rope::from(body.clone())), b"0123456789");
        let form = || Bytes::from_static(b"xyz");
        let rope = Rope::splice(
            &body,
            [(0..1, form()), (4..6, Bytes::new()), (9..10, form())],
        );
        assert_eq!(flat(&rope), b"xyz123678xyz");
        assert_eq!(rope.len(), 12);
    }
}
