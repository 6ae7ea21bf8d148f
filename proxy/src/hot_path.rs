//! The pieces of the hot path, for benches, fuzz targets and the count of instructions. Not an interface: it changes at will.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use headroom_shared::id::DigestKey;
use headroom_shared::job::Place;
use http_body::Body;

use crate::dialect::DIALECTS;
use crate::scan;
pub use crate::scan::string_end::{portable as string_end_portable, string_end};
use crate::splice::Rope;

/// How many dialects there are; the first is Anthropic's, the second Chat Completions, the third Responses.
pub const DIALECT_COUNT: usize = DIALECTS.len();

/// Where a scan found things in a body.
#[derive(Debug)]
pub struct Found {
    /// The texts of blocks, in order.
    pub blocks: Vec<Range<usize>>,
    /// Where the blocks stand in the conversation.
    pub places: Vec<Place>,
    /// Ids, names and inputs of tool calls, and the ids of the calls that blocks answer.
    pub others: Vec<Range<usize>>,
    /// Messages.
    pub messages: usize,
}

/// Scans a body; `None` if it is not of this dialect.
#[must_use]
pub fn scan(body: &[u8], dialect: usize) -> Option<Found> {
    let scan = scan::scan(body, DIALECTS[dialect], &DigestKey::from_bytes([7; 32])).ok()?;
    let calls = scan.calls.into_iter();
    let mut others: Vec<_> = calls.flat_map(|it| [it.id, it.name, it.input]).collect();
    others.extend(scan.blocks.iter().filter_map(|block| block.call.clone()));
    Some(Found {
        places: scan.blocks.iter().map(|block| block.place).collect(),
        blocks: scan.blocks.into_iter().map(|block| block.span).collect(),
        others,
        messages: scan.messages.len(),
    })
}

/// The body with the spans replaced, which stand in order and do not overlap: the length it announces, and its slices.
pub fn splice(
    body: &Bytes,
    replacements: impl IntoIterator<Item = (Range<usize>, Bytes)>,
) -> (Option<u64>, Vec<Bytes>) {
    let mut rope = Rope::splice(body, replacements);
    let length = rope.size_hint().exact();
    let mut slices = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut rope).poll_frame(&mut context) {
        slices.extend(frame.into_data());
    }
    (length, slices)
}

/// Scans a body and puts `form` in place of each block: the slices that go out. `None` if it is not of this dialect.
#[must_use]
pub fn scan_and_splice(body: &Bytes, dialect: usize, form: &Bytes) -> Option<Vec<Bytes>> {
    let blocks = scan(body, dialect)?.blocks.into_iter();
    let (_, slices) = splice(body, blocks.map(|span| (span, form.clone())));
    Some(slices)
}
