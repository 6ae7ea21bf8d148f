//! Which old texts of a conversation are shortened where the agent can fetch them again, and what of each stays.
//!
//! | text | what stays |
//! |---|---|
//! | a read of a file that a later read shows again, as the file was then | a line that names that one |
//! | an old read of a file that nobody works on, or of which there is a newer one of more than [`FEW_LINES`] lines | its signatures; where it has none, both ends |
//! | a read of [instructions for agents](INSTRUCTIONS) | all |
//! | an old output of a tool | what [`select_old`] shows |
//! | what was fetched again | all |
//! | any other text | what stays of it when it is sent first, or what a model leaves of it |
//!
//! A text is old once more than [`OLD_TURNS`] turns of the model stand behind it. A file is worked on where a call that does not read it names it,
//! or a long text of a user in so many turns at the end.

mod superseding;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashSet;

use headroom_shared::compress::shorten::{
    Fetched, Selection, ends, may_shorten, original_fetched, select_old, signatures,
};
use headroom_shared::compress::{Call, Deadline};
use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::job::{JobBlock, Payload};

use self::superseding::superseding;
use self::words::Words;

/// More turns of the model behind a text make it old.
const OLD_TURNS: u32 = 10;

/// More turns behind a read make it worth a look whether a later one shows the same.
const RECENT_TURNS: u32 = 2;

/// A read of no more lines does not stand for earlier ones of the file: it is a look at a place in it, or a message, that the file is not there
/// or has not changed.
const FEW_LINES: usize = 16;

/// Files that tell an agent what to do, in lower case.
const INSTRUCTIONS: [&str; 11] = [
    ".clinerules",
    ".cursorrules",
    ".windsurfrules",
    "agents.md",
    "agents.override.md",
    "claude.local.md",
    "claude.md",
    "copilot-instructions.md",
    "gemini.md",
    "memory.md",
    "skill.md",
];

/// Folders in which prose tells an agent what to do.
const INSTRUCTION_FOLDERS: [&str; 6] = [
    ".claude",
    ".clinerules",
    ".cursor",
    ".windsurf",
    "instructions",
    "skills",
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

/// What of each block of a job stays, in their order. Once the deadline is over, it is not known.
pub(crate) fn stays(payload: &Payload, deadline: Deadline) -> Vec<Stays> {
    let blocks = &payload.blocks;
    let calls: Vec<Call> = blocks
        .iter()
        .map(|block| Call::of(block.tool.as_deref(), block.input.as_deref()))
        .collect();
    let fetched = fetched(payload);
    let superseding = superseding(blocks, &calls);
    let words = Words::of(payload, payload.turns.saturating_sub(OLD_TURNS));
    let newest = newest_reads(blocks, &calls);
    let selection = |at: usize, block: &JobBlock| {
        let age = payload.turns.saturating_sub(block.turn);
        let is_old = age > OLD_TURNS;
        if let Some(file) = calls[at].file_read() {
            if let Some(later) = superseding.get(&at).filter(|_| age > RECENT_TURNS) {
                let later = calls[*later].label();
                let what = format!("a later {later} shows the file as it was then");
                return Some(Selection::none_of(&block.text, what));
            }
            let is_needed = || newest.contains(&at) && words.name(file) || holds_instructions(file);
            let is_left = is_old && !is_needed();
            return is_left
                .then(|| signatures(block.source(), deadline).or_else(|| ends(&block.text)))?;
        }
        is_old.then(|| select_old(block.source()))?
    };
    let stays = |(at, block): (usize, &JobBlock)| {
        let source = block.source();
        let original = OriginalId::of(block.block);
        if !may_shorten(source) || fetched.keeps(original, source, payload.whole_kinds) {
            return Stays::All;
        }
        selection(at, block).map_or(Stays::AsSentFirst, Stays::Selected)
    };
    blocks.iter().enumerate().map(stays).collect()
}

/// Of each file the newest read that shows more than a few lines, and those behind it.
fn newest_reads(blocks: &[JobBlock], calls: &[Call]) -> HashSet<usize> {
    let mut shown = HashSet::new();
    let mut newest = HashSet::new();
    for (at, call) in calls.iter().enumerate().rev() {
        // Where nobody knows which file it is, another read may be of another one.
        let file = call.place_read();
        if file.is_none_or(|file| !shown.contains(file)) {
            newest.insert(at);
        }
        if blocks[at].text.lines().nth(FEW_LINES).is_some() {
            shown.extend(file);
        }
    }
    newest
}

/// What the agent has fetched again of the blocks of a job.
fn fetched(payload: &Payload) -> Fetched {
    let originals = calls(payload).filter_map(|(tool, input)| original_fetched(tool, input));
    let sources = payload.blocks.iter();
    let sources = sources.map(|block| (OriginalId::of(block.block), block.source()));
    Fetched::of(originals.collect(), sources)
}

/// All tool calls of a job, some of them twice: each a tool's name, and its input as JSON text.
fn calls(payload: &Payload) -> impl Iterator<Item = (&str, &str)> {
    let blocks = payload.blocks.iter();
    let own = blocks.filter_map(|block| block.tool.as_deref().zip(block.input.as_deref()));
    let before = payload.blocks.iter().flat_map(|block| &block.calls);
    let others = before.chain(&payload.calls_after);
    own.chain(others.map(|call| (&*call.tool, &*call.input)))
}

fn holds_instructions(file: &str) -> bool {
    let file = file.to_ascii_lowercase();
    let mut parts = file.rsplit(['/', '\\']);
    let name = parts.next().unwrap_or_default();
    let is_prose = || [".md", ".mdc"].iter().any(|ending| name.ends_with(ending));
    INSTRUCTIONS.contains(&name)
        || is_prose() && parts.any(|folder| INSTRUCTION_FOLDERS.contains(&folder))
}
