//! Compressing a request's new blocks before they are sent for the first time, within a budget of CPU time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom_shared::compress::{Earlier, compress};
use headroom_shared::prefix::Form;

use crate::blocks;
use crate::memory::Known;
use crate::scan::{CacheLife, Scan};

/// What a compressor surely gets through in a millisecond, in bytes: a block too large for what is left of the budget is not
/// begun, because nothing can stop it.
const BYTES_A_MS: u128 = 20_000;

/// The blocks of a request that are sent for the first time: from this position in the scan to the end.
///
/// They stand after the last message the model wrote. In a prefix that nobody knows the others too, unless the provider may
/// have it in its cache from a time before this proxy: what is not known to be new is taken as sent in the original, and so is
/// what this process sent while the store did not answer.
pub(crate) fn first_new(scan: &Scan, known: &Known) -> usize {
    let unknown = known.sure && known.frozen == 0;
    let after_model = scan.last_from_model().map_or(0, |last| last + 1);
    let first = if unknown && scan.cache == CacheLife::None {
        scan.last_thinking().map_or(0, |last| last + 1)
    } else if unknown || known.frozen > 0 {
        after_model.max(known.frozen)
    } else {
        scan.messages.len()
    };
    let first = first.max(known.sent_unsure.messages);
    scan.blocks
        .partition_point(|block| (block.place.message as usize) < first)
}

/// The forms of those blocks from `first` on that are worth one, found within `budget`, each with its position in the scan.
pub(crate) fn forms(
    body: &Bytes,
    scan: &Scan,
    first: usize,
    budget: Duration,
) -> Vec<(usize, Form)> {
    let began = Instant::now();
    let left = || budget.saturating_sub(began.elapsed());
    let blocks: Vec<_> = blocks::unescaped(body, scan).collect();
    let mut earlier = Earlier::default();
    let mut complete = scan.references;
    let mut forms = Vec::new();
    for (index, block) in &blocks {
        let affordable = block.text.len() as u128 <= left().as_millis() * BYTES_A_MS;
        if *index >= first && affordable {
            let text = compress(block.source(), &earlier);
            forms.extend(text.ok().map(|text| (*index, Form::new(block.block, &text))));
        }
        // A long history may take no more than half of the budget. References count blocks from the first one on: when one is
        // left out, so are all that follow.
        complete &= left() > budget / 2 || *index >= first;
        if complete {
            earlier.push(block.source());
        }
    }
    forms
}
