//! Compressing a request's new blocks before they are sent for the first time, within a budget of wall time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use bytes::Bytes;
use headroom_shared::compress::{Earlier, compress, expand, same};
use headroom_shared::contract::job::JobBlock;
use headroom_shared::contract::prefix::Form;

use super::blocks;
use super::uncompressed::Uncompressed;
use crate::records::Known;
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
    // Thinking counts as bound whichever model is asked now: another one may be asked next that binds it.
    let first = if unknown && scan.cache == CacheLife::None {
        scan.last_thinking().map_or(0, |last| last + 1)
    } else if unknown || known.frozen > 0 {
        after_model.max(known.frozen)
    } else {
        scan.messages.len()
    };
    scan.blocks_from(first.max(known.sent_unsure.messages))
}

/// What becomes of a block: its form, or why it goes out in the original.
pub(crate) type Outcome = Result<Form, Uncompressed>;

/// The blocks of a request whose forms are to be decided, by their positions in the scan.
#[derive(Debug)]
pub(crate) struct Undecided {
    /// All from here on are new.
    pub(crate) first_new: usize,
    /// Those before that were sent in these forms, behind what the client has edited since. Each keeps its form where what that refers
    /// to is still there, and gets a new one where it is not.
    pub(crate) sent: BTreeMap<usize, Form>,
}

impl Undecided {
    /// None of the blocks of a request.
    pub(crate) fn none(scan: &Scan) -> Self {
        Self {
            first_new: scan.blocks.len(),
            sent: BTreeMap::new(),
        }
    }

    /// Their positions.
    pub(crate) fn blocks(&self, scan: &Scan) -> impl Iterator<Item = usize> + use<> {
        let sent: Vec<usize> = self.sent.keys().copied().collect();
        sent.into_iter().chain(self.first_new..scan.blocks.len())
    }
}

/// Decides on blocks one after the other until `deadline`, and tells the outcome of each with its position in the scan. Stops early
/// where it is told that nobody waits any more.
pub(crate) fn decide(
    body: &Bytes,
    scan: &Scan,
    undecided: &Undecided,
    deadline: Instant,
    mut tell: impl FnMut(usize, Outcome) -> ControlFlow<()>,
) {
    if undecided.blocks(scan).next().is_none() {
        return;
    }
    let left = || deadline.saturating_duration_since(Instant::now());
    let budget = left();
    let mut history = History {
        complete: scan.references,
        unless_complete: Uncompressed::ReferencesOff,
        earlier: Earlier::default(),
    };
    let blocks: Vec<_> = blocks::unescaped(body, scan).collect();
    let in_sight = scan.blocks_from(scan.first_in_sight());
    let is_readable = |at: &usize| blocks.binary_search_by_key(at, |(index, _)| *index).is_ok();
    for index in undecided.blocks(scan).filter(|at| !is_readable(at)) {
        if tell(index, Err(Uncompressed::NoGain)).is_break() {
            return;
        }
    }
    for (index, block) in &blocks {
        let sent = undecided.sent.get(index);
        if *index >= undecided.first_new || sent.is_some() {
            let affordable = block.text.len() as u128 <= left().as_millis() * BYTES_A_MS;
            let outcome = if affordable {
                let kept = sent.filter(|form| history.reads(form, block)).cloned();
                kept.map_or_else(|| history.compress(block), Ok)
            } else {
                Err(Uncompressed::EntryBudget)
            };
            if tell(*index, outcome).is_break() {
                return;
            }
        } else if left() <= budget / 2 {
            // A long history may take no more than half of the budget.
            history.give_up();
        }
        if *index >= in_sight {
            history.push(block);
        }
    }
}

/// The blocks before one that is compressed, as far as it may refer to them.
struct History<'a> {
    /// References count blocks from the first one on: when one is left out, so are all that follow.
    complete: bool,
    /// Why a block has no form that might have one with the whole history.
    unless_complete: Uncompressed,
    earlier: Earlier<'a>,
}

impl<'a> History<'a> {
    /// Whether a form says the block's text, given what stands before it now.
    fn reads(&self, form: &Form, block: &JobBlock) -> bool {
        let text: Option<String> = serde_json::from_str(&format!("\"{}\"", form.text)).ok();
        let expanded = text.and_then(|text| expand(&text, &self.earlier).ok());
        expanded.is_some_and(|expanded| same(&block.text, &expanded))
    }

    fn compress(&self, block: &JobBlock) -> Outcome {
        match compress(block.source(), &self.earlier) {
            Ok(text) => Ok(Form::new(block.block, &text)),
            Err(none) if self.complete => Err(none.into()),
            Err(_) => Err(self.unless_complete),
        }
    }

    fn push(&mut self, block: &'a JobBlock) {
        if self.complete {
            self.earlier.push(block.source());
        }
    }

    const fn give_up(&mut self) {
        if self.complete {
            self.complete = false;
            self.unless_complete = Uncompressed::EntryBudget;
        }
    }
}
