//! The body that goes out: slices of the client's bytes, with forms in place of some blocks' texts. Nothing is copied.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;

use bytes::{Buf, Bytes};

use super::Forms;
use crate::scan::Scan;

/// A body made of slices, to be sent one after the other: all of them at once, where the system takes that many.
#[derive(Debug, Default)]
pub(crate) struct Rope {
    slices: VecDeque<Bytes>,
    length: usize,
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

    /// `body` with these forms in place of its blocks; `None` where there are none, and it goes out as it came.
    pub(crate) fn with_forms(body: &Bytes, scan: &Scan, forms: &Forms) -> Option<Self> {
        let spans = forms
            .iter()
            .map(|(index, text)| (scan.blocks[*index].span.clone(), text.clone()));
        (!forms.is_empty()).then(|| Self::splice(body, spans))
    }

    /// Its length in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    /// Its slices in their order.
    pub(crate) fn slices(&self) -> impl Iterator<Item = &Bytes> {
        self.slices.iter()
    }

    /// A copy of all its bytes.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.length);
        for slice in &self.slices {
            all.extend_from_slice(slice);
        }
        all
    }

    fn push(&mut self, slice: Bytes) {
        if !slice.is_empty() {
            self.length += slice.len();
            self.slices.push_back(slice);
        }
    }
}

impl From<Bytes> for Rope {
    fn from(body: Bytes) -> Self {
        let mut rope = Self::default();
        rope.push(body);
        rope
    }
}

impl Buf for Rope {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        self.slices.front().map_or(&[], |slice| slice)
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let pairs = into.iter_mut().zip(&self.slices);
        pairs
            .map(|(place, slice)| *place = IoSlice::new(slice))
            .count()
    }

    fn advance(&mut self, mut count: usize) {
        debug_assert!(count <= self.length, "beyond the end");
        self.length -= count;
        while let Some(first) = self.slices.front_mut() {
            if count < first.len() {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.slices.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_spans_change() {
        let body = Bytes::from_static(b"0123456789");
        assert_eq!(Rope::from(body.clone()).to_vec(), b"0123456789");
        let form = || Bytes::from_static(b"xyz");
        let rope = Rope::splice(
            &body,
            [(0..1, form()), (4..6, Bytes::new()), (9..10, form())],
        );
        assert_eq!(rope.to_vec(), b"xyz123678xyz");
        assert_eq!(rope.len(), 12);
    }

    #[test]
    fn it_is_read_in_steps_of_any_length() {
        let form = || Bytes::from_static(b"xyz");
        let rope = || {
            Rope::splice(
                &Bytes::from_static(b"0123456789"),
                [(1..2, form()), (5..9, form())],
            )
        };
        for step in 1..=rope().len() {
            let (mut rope, mut read) = (rope(), Vec::new());
            while rope.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 2];
                let count = rope.chunks_vectored(&mut slices);
                let there: Vec<u8> = slices[..count]
                    .iter()
                    .flat_map(|slice| slice.to_vec())
                    .collect();
                assert!(there.starts_with(rope.chunk()));
                let step = step.min(there.len());
                read.extend_from_slice(&there[..step]);
                rope.advance(step);
            }
            assert_eq!(read, b"0xyz234xyz9", "{step}");
        }
    }
}
