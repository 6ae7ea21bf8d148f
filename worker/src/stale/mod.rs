//! Which old texts of a conversation are shortened where the agent can fetch them again, and what of each stays.
//!
//! | text | what stays |
//! |---|---|
//! | a read of a file that a later read shows again | a line that says so |
//! | an old output of a command, a search or a listing | its first and last lines, and those that tell of errors |
//! | an old read of source code, the newest one of a file that no other call names | signatures: no bodies of functions |
//! | what was fetched again | all |
//! | any other text | what stays of it when it is sent first, or what a model leaves of it |
//!
//! A text is old once more than [`OLD_MESSAGES`] messages stand behind it, about ten turns.

mod fetched;
mod superseding;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashSet;

use headroom_shared::compress::shorten::{Selection, is_output, may_shorten, signatures};
use headroom_shared::compress::{Call, Deadline};
use headroom_shared::contract::job::JobBlock;
use headroom_shared::contract::retrieval::is_retrieval_tool;

use self::fetched::Fetched;
use self::superseding::superseding;
use self::words::Words;

/// More messages behind a text make it old: a turn of an agent is a call and its output.
const OLD_MESSAGES: u32 = 20;

/// More messages behind a read make it worth a look whether a later one shows the same.
const RECENT_MESSAGES: u32 = 4;

/// Lines at the beginning and at the end of an old output that stay.
const EDGE_LINES: usize = 2;

/// Lines of an old output that tell of errors and stay.
const MAX_ERROR_LINES: usize = 12;

/// What a line that tells of an error holds, in lower case.
const ERROR_WORDS: [&str; 7] = [
    "error",
    "fail",
    "panic",
    "warning",
    "exception",
    "traceback",
    "exit code",
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

/// What of each block stays, in their order. Once the deadline is over, it is not known.
pub(crate) fn stays(blocks: &[JobBlock], deadline: Deadline) -> Vec<Stays> {
    let end = blocks.last().map_or(0, |block| block.place.message);
    let calls: Vec<Call> = blocks
        .iter()
        .map(|block| Call::of(block.tool.as_deref(), block.input.as_deref()))
        .collect();
    let fetched = Fetched::of(blocks);
    let superseding = superseding(blocks, &calls);
    let words = Words::of(blocks);
    // What is left out of an earlier read must be shown by these.
    let shown: HashSet<usize> = superseding.values().copied().collect();
    let selection = |at: usize, block: &JobBlock| {
        let age = end - block.place.message;
        let is_old = age > OLD_MESSAGES;
        if let Some(file) = calls[at].file_read() {
            if let Some(later) = superseding.get(&at).filter(|_| age > RECENT_MESSAGES) {
                let what = format!("{} shows them again", calls[*later].label());
                return Some(Selection::none_of(&block.text, what));
            }
            let is_left = is_old && !words.name(file) && !shown.contains(&at);
            return is_left.then(|| signatures(block.source(), deadline))?;
        }
        (is_old && is_output(block.source())).then(|| edges_and_errors(&block.text))?
    };
    let stays = |(at, block): (usize, &JobBlock)| {
        let is_retrieved = block.tool.as_deref().is_some_and(is_retrieval_tool);
        if is_retrieved || fetched.has(block) || !may_shorten(block.source()) {
            return Stays::All;
        }
        selection(at, block).map_or(Stays::AsSentFirst, Stays::Selected)
    };
    blocks.iter().enumerate().map(stays).collect()
}

/// The first and last lines of a text, and those that tell of errors; `None` where that is all of it.
fn edges_and_errors(text: &str) -> Option<Selection> {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut errors = 0;
    let stays = |(at, line): (usize, &&str)| {
        let is_edge = at < EDGE_LINES || at + EDGE_LINES >= lines.len();
        let is_error = errors < MAX_ERROR_LINES && tells_of_error(line);
        errors += usize::from(is_error);
        is_edge || is_error
    };
    let shown = lines.iter().enumerate().map(stays).collect();
    Selection::new(shown)?.without_small_gaps(text)
}

fn tells_of_error(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ERROR_WORDS.iter().any(|word| line.contains(word))
}
