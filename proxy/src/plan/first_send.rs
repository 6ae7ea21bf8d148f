//! Compressing a request's new blocks before they are sent for the first time, within a budget of wall time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use bytes::Bytes;
use headroom_shared::contract::prefix::Form;

use super::history::{History, affords};
use super::history_cache::{HistoryCache, Index};
use super::known_prefix::KnownPrefix;
use super::skip_reason::SkipReason;
use crate::scan::{CacheLife, Scan};

/// The blocks of a request that are sent for the first time: from this position in the scan to the end.
///
/// These are the blocks after the last message that the model wrote. Where nothing of the prefix is known, the earlier ones are new, too,
/// unless the provider may have them in its cache from a time before this proxy. What is not known to be new is taken as sent in the
/// original, and so is what this process sent while the store did not answer.
pub(crate) fn first_new_block(scan: &Scan, known: &KnownPrefix) -> usize {
    let unknown = known.complete && known.frozen == 0;
    let after_model = scan.last_from_model().map_or(0, |last| last + 1);
    // Thinking counts as bound whichever model is asked now: another one may be asked next that binds it.
    let first = if unknown && scan.cache == CacheLife::None {
        scan.last_thinking().map_or(0, |last| last + 1)
    } else if unknown || known.frozen > 0 {
        after_model.max(known.frozen)
    } else {
        scan.messages.len()
    };
    scan.blocks_from(first.max(known.unrecorded.messages))
}

/// The form of a block, or why it goes out in the original.
pub(crate) type CompressResult = Result<Form, SkipReason>;

/// The blocks of a request that are to be compressed, by their positions in the scan.
#[derive(Debug)]
pub(crate) struct BlocksToCompress {
    /// This block and all after it are new.
    pub(crate) first_new_block: usize,
    /// Earlier blocks that were sent in these forms and stand behind what the client has edited since. Each keeps its form where what that
    /// refers to is still there, and gets a new one where it is not.
    pub(crate) moved: BTreeMap<usize, Form>,
}

impl BlocksToCompress {
    /// None of the blocks of a request.
    pub(crate) fn none(scan: &Scan) -> Self {
        Self {
            first_new_block: scan.blocks.len(),
            moved: BTreeMap::new(),
        }
    }

    /// Their positions.
    pub(crate) fn positions(&self, scan: &Scan) -> impl Iterator<Item = usize> + use<> {
        let moved: Vec<usize> = self.moved.keys().copied().collect();
        moved
            .into_iter()
            .chain(self.first_new_block..scan.blocks.len())
    }
}

/// Compresses blocks one after the other until `deadline`, and gives each result with the block's position to `on_result`, which may
/// stop it. Gives the index of the request's blocks, as far as it was needed: for [`remember`](super::history::remember), when nobody waits
/// any more.
pub(crate) fn compress_blocks(
    (body, scan): (&Bytes, &Scan),
    to_compress: &BlocksToCompress,
    cache: &HistoryCache,
    deadline: Instant,
    mut on_result: impl FnMut(usize, CompressResult) -> ControlFlow<()>,
) -> Index {
    let mut positions = to_compress.positions(scan).peekable();
    let first = positions.peek().copied().unwrap_or(scan.blocks.len());
    let mut history = History::resume(body, scan, cache, first);
    let now = Instant::now();
    // What was sent before may take no more than half of the budget.
    let half = now + deadline.saturating_duration_since(now) / 2;
    while let Some(index) = positions.next() {
        history.grow_to(index, half);
        history.limit(deadline);
        let is_affordable = affords(deadline, scan.blocks[index].span.len());
        let block = is_affordable.then(|| history.block(index)).flatten();
        let result = match &block {
            Some(block) => {
                let moved = to_compress.moved.get(&index);
                let kept = moved.filter(|form| history.expands(form, block)).cloned();
                kept.map_or_else(|| history.compress(block), Ok)
            }
            None if is_affordable => Err(SkipReason::NoGain),
            None => Err(SkipReason::EntryBudget),
        };
        if on_result(index, result).is_break() || positions.peek().is_none() {
            break;
        }
        if is_affordable {
            history.push(index, block.as_ref());
        } else {
            history.stop_before(index);
        }
    }
    history.into_index()
}
