//! Which old texts of a conversation are shortened where the agent can fetch them again, and what of each stays.
//!
//! | text | what stays |
//! |---|---|
//! | a read of a file, all of whose lines a later read shows | a line that names that one |
//! | an old read of a file, of which there is a newer one, or which nobody works on | its signatures; where it has none, both ends |
//! | a read of [instructions for agents](INSTRUCTIONS) | all |
//! | an old output of a tool | what [`select_old`] shows |
//! | what was fetched again | all |
//! | any other text | what stays of it when it is sent first, or what a model leaves of it |
//!
//! A text is old once more than [`OLD_MESSAGES`] messages stand behind it, about ten turns. A file is worked on where a call that may change it
//! names it, or a call or a user does in so many messages at the end.

mod superseding;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashMap;

use headroom_shared::compress::shorten::{
    Fetched, Selection, ends, kind_of, may_shorten, select_old, signatures,
};
use headroom_shared::compress::{Call, Deadline};
use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::job::JobBlock;
use headroom_shared::contract::output_kind::OutputKinds;

use self::superseding::superseding;
use self::words::Words;

/// More messages behind a text make it old: a turn of an agent is a call and its output.
const OLD_MESSAGES: u32 = 20;

/// More messages behind a read make it worth a look whether a later one shows the same.
const RECENT_MESSAGES: u32 = 4;

/// Files that tell an agent what to do, in lower case.
const INSTRUCTIONS: [&str; 6] = [
    ".cursorrules",
    "agents.md",
    "claude.md",
    "copilot-instructions.md",
    "gemini.md",
    "skill.md",
];

/// What stays of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stays {
    /// All of it.
    All,
    /// This selection.
    Selected(Selection),
    /// What would if it were sent first.
    AsSentFirst,
}

/// What of each block stays, in their order; of those of `whole_kinds` all does. Once the deadline is over, it is not known.
pub(crate) fn stays(
    blocks: &[JobBlock],
    whole_kinds: OutputKinds,
    deadline: Deadline,
) -> Vec<Stays> {
    let end = blocks.last().map_or(0, |block| block.place.message);
    let calls: Vec<Call> = blocks
        .iter()
        .map(|block| Call::of(block.tool.as_deref(), block.input.as_deref()))
        .collect();
    let fetched = fetched(blocks);
    let whole_kinds = whole_kinds.union(fetched.kinds());
    let superseding = superseding(blocks, &calls);
    let changed = Words::of_changes(blocks);
    let recent = Words::of_recent(blocks, end.saturating_sub(OLD_MESSAGES));
    let newest: HashMap<&str, usize> = calls
        .iter()
        .enumerate()
        .filter_map(|(at, call)| Some((call.file_read()?, at)))
        .collect();
    let selection = |at: usize, block: &JobBlock| {
        let age = end - block.place.message;
        let is_old = age > OLD_MESSAGES;
        if let Some(file) = calls[at].file_read() {
            if let Some(later) = superseding.get(&at).filter(|_| age > RECENT_MESSAGES) {
                let what = format!("a later {} covers them", calls[*later].label());
                return Some(Selection::none_of(&block.text, what));
            }
            let is_worked_on = || changed.name(file) || recent.name(file);
            let is_needed = || newest[file] == at && is_worked_on() || holds_instructions(file);
            let is_left = is_old && !is_needed();
            return is_left
                .then(|| signatures(block.source(), deadline).or_else(|| ends(&block.text)))?;
        }
        is_old.then(|| select_old(block.source()))?
    };
    let stays = |(at, block): (usize, &JobBlock)| {
        let is_fetched = || {
            fetched.has(OriginalId::of(block.block))
                || whole_kinds.contains(kind_of(block.source()))
        };
        if !may_shorten(block.source()) || is_fetched() {
            return Stays::All;
        }
        selection(at, block).map_or(Stays::AsSentFirst, Stays::Selected)
    };
    blocks.iter().enumerate().map(stays).collect()
}

/// What the agent has fetched again of these blocks.
fn fetched(blocks: &[JobBlock]) -> Fetched {
    let own = blocks.iter();
    let own = own.filter_map(|block| Some((block.tool.as_deref()?, block.input.as_deref()?)));
    let others = blocks.iter().flat_map(|block| &block.calls);
    let others = others.map(|call| (call.tool.as_str(), call.input.as_str()));
    let sources = blocks.iter();
    let sources = sources.map(|block| (OriginalId::of(block.block), block.source()));
    Fetched::of(own.chain(others), sources)
}

fn holds_instructions(file: &str) -> bool {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    INSTRUCTIONS.contains(&name.to_ascii_lowercase().as_str())
}
