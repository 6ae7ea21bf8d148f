//! Compressing a request's new blocks before they are sent for the first time, within a budget of wall time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use bytes::Bytes;
use headroom_shared::compress::Source;
use headroom_shared::compress::shorten::is_of;
use headroom_shared::contract::output_kind::OutputKinds;
use headroom_shared::contract::prefix::Form;
use headroom_shared::contract::tier::Tier;

use super::history::{History, affords, prepared};
use super::history_cache::{HistoryCache, Index};
use super::known_prefix::KnownPrefix;
use super::skip_reason::{CompressResult, SkipReason};
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

/// The blocks of a request that are to be compressed, by their positions in the scan.
#[derive(Debug, Default)]
pub(crate) struct BlocksToCompress {
    /// Those that are new, in order.
    pub(crate) new: Vec<usize>,
    /// Earlier blocks that were sent in these forms and stand behind what the client has edited since. Each keeps its form where that still
    /// gives it back to the letter, and gets a new one where it does not: what that refers to has gone, or another version made it.
    pub(crate) moved: BTreeMap<usize, Form>,
    /// What their forms may leave out, and what those of earlier blocks may have left out.
    pub(crate) tiers: (Tier, Tier),
    /// The kinds of blocks of which forms leave out nothing all the same.
    pub(crate) whole_kinds: OutputKinds,
}

impl BlocksToCompress {
    /// The block at this position and all after it.
    pub(crate) fn new_from(first: usize, scan: &Scan) -> Self {
        Self {
            new: (first..scan.blocks.len()).collect(),
            ..Self::default()
        }
    }

    /// What the form of a new block may leave out.
    pub(super) fn tier_of(&self, block: Source<'_>) -> Tier {
        if is_of(block, self.whole_kinds) {
            Tier::Lossless
        } else {
            self.tiers.0
        }
    }

    /// Their positions, in order.
    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.moved.keys().chain(&self.new).copied()
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
    let mut positions = to_compress.positions().peekable();
    let first = positions.peek().copied().unwrap_or(scan.blocks.len());
    let tier_before = to_compress.tiers.1;
    let mut history = History::resume((body, scan), cache, first, tier_before);
    let now = Instant::now();
    // What was sent before may take no more than half of the budget.
    let half = now + deadline.saturating_duration_since(now) / 2;
    while let Some(index) = positions.next() {
        history.grow_to(index, half);
        history.limit(deadline);
        history.push_calls(index);
        let is_affordable = affords(deadline, scan.blocks[index].span.len());
        let block = is_affordable.then(|| history.block(index)).flatten();
        let kept = block.as_ref().and_then(|block| {
            let sent = to_compress.moved.get(&index)?;
            let prepared = prepared(block, tier_before);
            history
                .gives_back(sent, &prepared)
                .then_some((sent, prepared))
        });
        let (result, prepared) = match (kept, &block) {
            (Some((sent, prepared)), _) => (Ok(sent.clone()), Some(prepared)),
            (None, Some(block)) => {
                let prepared = prepared(block, to_compress.tier_of(block.source()));
                (history.compress(block, &prepared), Some(prepared))
            }
            (None, None) if is_affordable => (Err(SkipReason::NoGain), None),
            (None, None) => (Err(SkipReason::EntryBudget), None),
        };
        if on_result(index, result).is_break() || positions.peek().is_none() {
            break;
        }
        if is_affordable {
            history.push(index, prepared);
        } else {
            history.stop_before(index);
        }
    }
    history.into_index()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headroom_shared::contract::id::DigestKey;
    use serde_json::json;

    use super::*;
    use crate::dialect::DIALECTS;
    use crate::scan;

    /// What the output of `cat` goes out in behind an edit, given its text and the form that it was sent in before.
    fn form_behind_an_edit(text: &str, sent_before: &str) -> CompressResult {
        let body = json!({"model": "claude-opus-4-6", "max_tokens": 9, "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "cat a.json"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": text}]},
            {"role": "assistant", "content": "Done."},
        ]});
        let body = Bytes::from(body.to_string());
        let scan = scan::scan(&body, DIALECTS[0], &DigestKey::from_bytes([7; 32])).unwrap();
        let mut to_compress = BlocksToCompress::default();
        let form = Form::new(scan.blocks[0].id, sent_before);
        to_compress.moved.insert(0, form);
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut results = Vec::new();
        let on_result = |_, result| {
            results.push(result);
            ControlFlow::Continue(())
        };
        let cache = HistoryCache::new();
        compress_blocks((&body, &scan), &to_compress, &cache, deadline, on_result);
        assert_eq!(results.len(), 1);
        results.remove(0)
    }

    #[test]
    fn a_form_is_used_again_only_if_it_gives_its_block_back_to_the_letter() {
        let rows: Vec<_> = (0..60)
            .map(|n| json!({"identifier": n, "state": "open"}))
            .collect();
        let minified = json!(rows).to_string();
        let pretty = serde_json::to_string_pretty(&rows).unwrap();
        let without_layout = format!("[headroom: JSON without white space]\n{minified}");
        // It expands to the same JSON, but not to the same letters.
        let form = form_behind_an_edit(&pretty, &without_layout).unwrap();
        assert!(form.text.contains("indented by 2 spaces"), "{}", form.text);
        let again: String = serde_json::from_str(&format!("\"{}\"", form.text)).unwrap();
        assert_eq!(form_behind_an_edit(&pretty, &again), Ok(form));
        let coloured = pretty.replace("open", "\x1b[32mopen\x1b[0m");
        let colourless = format!("[headroom: terminal colours removed]\n{pretty}");
        let original = Err(SkipReason::NoGain);
        assert_eq!(form_behind_an_edit(&coloured, &colourless), original);
    }
}
