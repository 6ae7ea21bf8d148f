//! The pieces of the hot path, for benches, fuzz targets and the count of instructions. Not an interface: it changes at will.

use std::ops::Range;

use bytes::Bytes;
use headroom_shared::contract::id::DigestKey;
use headroom_shared::contract::job::Place;

use crate::dialect::DIALECTS;
use crate::plan::splice::Rope;
use crate::scan;
pub use crate::scan::string_end::{portable as string_end_portable, string_end};

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
) -> (usize, Vec<Bytes>) {
    let rope = Rope::splice(body, replacements);
    (rope.len(), rope.slices().cloned().collect())
}

/// Scans a body and puts `form` in place of each block: the slices that go out. `None` if it is not of this dialect.
#[must_use]
pub fn scan_and_splice(body: &Bytes, dialect: usize, form: &Bytes) -> Option<Vec<Bytes>> {
    let blocks = scan(body, dialect)?.blocks.into_iter();
    let (_, slices) = splice(body, blocks.map(|span| (span, form.clone())));
    Some(slices)
}

/// What is found in a body by a scan from the start, by one that continues that of `earlier`, and by one that continues another that was
/// stopped as soon as it could be.
#[must_use]
pub fn every_way(earlier: &Bytes, body: &Bytes, dialect: usize) -> [String; 3] {
    let (dialect, key) = (DIALECTS[dialect], DigestKey::from_bytes([7; 32]));
    let after = |begin: &dyn Fn(&scan::ScanCache)| {
        let scans = scan::ScanCache::with_min_body(0);
        begin(&scans);
        format!("{:?}", scan::scan_with_cache(body, dialect, &key, &scans))
    };
    [
        format!("{:?}", scan::scan(body, dialect, &key)),
        after(&|scans| drop(scan::scan_with_cache(earlier, dialect, &key, scans))),
        after(&|scans| drop(scan::scan_until(body, dialect, &key, scans, &|_| true))),
    ]
}

/// Scans of conversations that continue from turn to turn.
#[derive(Debug)]
pub struct Turns(scan::ScanCache);

impl Turns {
    /// None yet.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a default would say that there is a usual one"
    )]
    pub fn new() -> Self {
        Self(scan::ScanCache::new())
    }

    /// Scans a body, continuing the scan of the last one of its conversation, and puts `form` in place of each block: the slices that go
    /// out. `None` if it is not of this dialect.
    pub fn scan_and_splice(
        &self,
        body: &Bytes,
        dialect: usize,
        form: &Bytes,
    ) -> Option<Vec<Bytes>> {
        let key = DigestKey::from_bytes([7; 32]);
        let scan = scan::scan_with_cache(body, DIALECTS[dialect], &key, &self.0).ok()?;
        let blocks = scan.blocks.iter();
        let (_, slices) = splice(body, blocks.map(|block| (block.span.clone(), form.clone())));
        Some(slices)
    }
}
