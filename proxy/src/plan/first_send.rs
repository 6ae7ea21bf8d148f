//! Compressing a request's new blocks before they are sent for the first time, within a budget of wall time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use bytes::Bytes;
use headroom_shared::compress::{Deadline, Earlier, NoForm, compress, gives_back};
use headroom_shared::contract::job::JobBlock;
use headroom_shared::contract::prefix::Form;

use super::blocks;
use super::known_prefix::KnownPrefix;
use super::skip_reason::SkipReason;
use crate::scan::{CacheLife, Scan};

/// What a compressor surely gets through in a millisecond, in bytes: a block too large for what is left of the budget is not begun, for
/// it would take that from the blocks after it.
const BYTES_A_MS: u128 = 20_000;

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
    /// Earlier blocks that were sent in these forms and stand behind what the client has edited since. Each keeps its form where that still
    /// gives it back to the letter, and gets a new one where it does not: what that refers to has gone, or another version made it.
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
/// stop it.
pub(crate) fn compress_blocks(
    body: &Bytes,
    scan: &Scan,
    to_compress: &BlocksToCompress,
    deadline: Instant,
    mut on_result: impl FnMut(usize, CompressResult) -> ControlFlow<()>,
) {
    if to_compress.positions(scan).next().is_none() {
        return;
    }
    let remaining = || deadline.saturating_duration_since(Instant::now());
    let budget = remaining();
    let mut history = History {
        complete: scan.references,
        if_incomplete: SkipReason::ReferencesOff,
        earlier: Earlier::default().until(Deadline::at(deadline)),
    };
    let blocks: Vec<_> = blocks::unescaped(body, scan).collect();
    let first_visible = scan.blocks_from(scan.first_visible_message());
    let is_readable = |at: &usize| blocks.binary_search_by_key(at, |(index, _)| *index).is_ok();
    for index in to_compress.positions(scan).filter(|at| !is_readable(at)) {
        if on_result(index, Err(SkipReason::NoGain)).is_break() {
            return;
        }
    }
    for (index, block) in &blocks {
        let moved = to_compress.moved.get(index);
        if *index >= to_compress.first_new_block || moved.is_some() {
            let affordable = block.text.len() as u128 <= remaining().as_millis() * BYTES_A_MS;
            let result = if affordable {
                let kept = moved
                    .filter(|form| history.gives_back(form, block))
                    .cloned();
                kept.map_or_else(|| history.compress(block), Ok)
            } else {
                Err(SkipReason::EntryBudget)
            };
            if on_result(*index, result).is_break() {
                return;
            }
        } else if remaining() <= budget / 2 {
            // A long history may take no more than half of the budget.
            history.stop_growing();
        }
        if *index >= first_visible {
            history.push(block);
        }
    }
}

/// The blocks before the one that is compressed next, as far as its form may refer to them.
struct History<'a> {
    /// References count blocks from the first one on: when one is missing, all that follow are left out, too.
    complete: bool,
    /// Why a block gets no form that might get one with the whole history.
    if_incomplete: SkipReason,
    earlier: Earlier<'a>,
}

impl<'a> History<'a> {
    /// Whether a form gives the block back, given what stands before it now.
    fn gives_back(&self, form: &Form, block: &JobBlock) -> bool {
        let text: Option<String> = serde_json::from_str(&format!("\"{}\"", form.text)).ok();
        text.is_some_and(|text| gives_back(&text, block.source(), &self.earlier))
    }

    fn compress(&self, block: &JobBlock) -> CompressResult {
        match compress(block.source(), &self.earlier) {
            Ok(text) => Ok(Form::new(block.block, &text)),
            Err(NoForm::OutOfTime) => Err(SkipReason::EntryBudget),
            Err(none) if self.complete => Err(none.into()),
            Err(_) => Err(self.if_incomplete),
        }
    }

    fn push(&mut self, block: &'a JobBlock) {
        if self.complete {
            self.earlier.push(block.source());
        }
    }

    const fn stop_growing(&mut self) {
        if self.complete {
            self.complete = false;
            self.if_incomplete = SkipReason::EntryBudget;
        }
    }
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
        let mut to_compress = BlocksToCompress::none(&scan);
        let form = Form::new(scan.blocks[0].id, sent_before);
        to_compress.moved.insert(0, form);
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut results = Vec::new();
        compress_blocks(&body, &scan, &to_compress, deadline, |_, result| {
            results.push(result);
            ControlFlow::Continue(())
        });
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
