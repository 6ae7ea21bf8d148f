//! [`Shortened`]: which blocks a request sends shortened for the first time, and how much shorter.

use super::Plan;

/// A block that is sent shortened from a request on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shortened {
    /// Its position in the scan.
    pub(crate) block: usize,
    /// Bytes of its form, escaped.
    pub(crate) bytes: usize,
    /// Bytes of the form in which it was sent before, if there was one.
    pub(crate) bytes_before: Option<usize>,
}

impl Plan {
    /// The blocks that are shortened from this request on.
    pub(super) fn shortened(&self) -> Vec<Shortened> {
        let recorded = |block: usize| {
            let at = self.recorded.binary_search_by_key(&block, |(at, _)| *at);
            at.ok().map(|at| self.recorded[at].1.len())
        };
        let new = self.landed_forms.iter().chain(&self.newly_compressed);
        let new = new.filter(|(_, form)| form.original.is_some());
        let shortened = new.map(|(block, form)| Shortened {
            block: *block,
            bytes: form.text.len(),
            bytes_before: recorded(*block),
        });
        shortened.collect()
    }
}
