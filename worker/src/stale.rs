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

use std::collections::{HashMap, HashSet};

use headroom_shared::compress::Call;
use headroom_shared::compress::shorten::{Selection, is_output, may_shorten, signatures};
use headroom_shared::contract::id::OriginalId;
use headroom_shared::contract::job::{JobBlock, JobCall};
use headroom_shared::contract::retrieval::is_retrieval_tool;
use serde::Deserialize;

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

/// So many reads of a file that do not show the same are compared with its earlier ones.
const MAX_PARTS: usize = 64;

/// A kind of output that was fetched again so often is left alone.
const MANY_RETRIEVALS: usize = 2;

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

/// What of each block stays, in their order.
pub(crate) fn stays(blocks: &[JobBlock]) -> Vec<Stays> {
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
                return Some(Selection::none_of(line_count(&block.text), what));
            }
            let is_left = is_old && !words.name(file) && !shown.contains(&at);
            return is_left.then(|| signatures(block.source()))?;
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

/// The words in the inputs of all calls that read no file: those that write one, search in it or run it name it.
struct Words<'a>(HashSet<&'a str>);

impl<'a> Words<'a> {
    fn of(blocks: &'a [JobBlock]) -> Self {
        let calls = blocks.iter().flat_map(|block| &block.calls);
        let calls = calls.map(|call| (call.tool.as_str(), call.input.as_str()));
        let own = blocks.iter();
        let own = own.filter_map(|block| Some((block.tool.as_deref()?, block.input.as_deref()?)));
        let reads_no_file =
            |(tool, input): &(&str, &str)| Call::of(Some(tool), Some(input)).file_read().is_none();
        let inputs = calls.chain(own).filter(reads_no_file);
        let words = inputs.flat_map(|(_, input)| input.split(|sign| !is_of_name(sign)));
        // In JSON a word at the beginning of a line comes right behind `\n`.
        Self(
            words
                .flat_map(|word| [Some(word), behind_escape(word)])
                .flatten()
                .collect(),
        )
    }

    /// Whether one of them is a file's name: what is behind the last slash of its path. One that is no single word may be there.
    fn name(&self, file: &str) -> bool {
        let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
        self.0.contains(name) || !name.chars().all(is_of_name)
    }
}

fn is_of_name(sign: char) -> bool {
    sign.is_alphanumeric() || matches!(sign, '_' | '-' | '.' | '+' | '@')
}

/// What is left of a word without the letter of an escape.
fn behind_escape(word: &str) -> Option<&str> {
    word.strip_prefix(['n', 't', 'r'])
}

/// What the agent has fetched again.
struct Fetched {
    originals: HashSet<OriginalId>,
    /// The tools of whose outputs it has fetched several.
    tools: HashSet<String>,
}

/// The arguments of the retrieval tool, as far as they are of interest.
#[derive(Deserialize)]
struct Retrieval {
    id: String,
}

impl Fetched {
    fn of(blocks: &[JobBlock]) -> Self {
        let of_block =
            |block: &JobBlock| retrieved(block.tool.as_deref()?, block.input.as_deref()?);
        let of_call = |call: &JobCall| retrieved(&call.tool, &call.input);
        let by_calls = blocks.iter().flat_map(|block| &block.calls);
        let originals: HashSet<OriginalId> = blocks
            .iter()
            .filter_map(of_block)
            .chain(by_calls.filter_map(of_call))
            .collect();
        let mut counts: HashMap<&str, HashSet<OriginalId>> = HashMap::new();
        for block in blocks {
            let original = OriginalId::of(block.block);
            if let Some(tool) = block.tool.as_deref()
                && originals.contains(&original)
            {
                counts.entry(tool).or_default().insert(original);
            }
        }
        let often = counts.into_iter();
        let often = often.filter(|(_, fetched)| fetched.len() >= MANY_RETRIEVALS);
        Self {
            originals,
            tools: often.map(|(tool, _)| tool.to_owned()).collect(),
        }
    }

    /// Whether a block is left alone, because it, or several of its kind, were fetched again.
    fn has(&self, block: &JobBlock) -> bool {
        let is_kind = |tool: &String| self.tools.contains(tool);
        self.originals.contains(&OriginalId::of(block.block))
            || block.tool.as_ref().is_some_and(is_kind)
    }
}

/// The original that a call fetches.
fn retrieved(tool: &str, input: &str) -> Option<OriginalId> {
    let input = is_retrieval_tool(tool).then_some(input)?;
    let Retrieval { id } = serde_json::from_str(input).ok()?;
    id.parse().ok()
}

/// For each read, by its position, the last later read of the same file that shows all of its lines.
fn superseding(blocks: &[JobBlock], calls: &[Call]) -> HashMap<usize, usize> {
    let mut reads: HashMap<&str, Vec<(usize, Lines)>> = HashMap::new();
    for (at, call) in calls.iter().enumerate() {
        if let Some(file) = call.file_read() {
            let lines = Lines::of(&blocks[at].text, call);
            reads.entry(file).or_default().push((at, lines));
        }
    }
    let mut superseding = HashMap::new();
    for of_file in reads.values() {
        // The last ones that no other one covers: a file that is read in parts has few that are distinct.
        let mut last: Vec<(usize, Lines)> = Vec::new();
        for (at, lines) in of_file.iter().rev() {
            match last.iter().find(|(_, later)| later.cover(*lines)) {
                Some((later, _)) => _ = superseding.insert(*at, *later),
                None if last.len() < MAX_PARTS => last.push((*at, *lines)),
                None => {}
            }
        }
    }
    superseding
}

/// Which lines of a file a read shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lines {
    /// Whether it asked for the file and not for a part of it.
    asks_all: bool,
    /// The numbers of the first and the last one, where they have any.
    numbers: Option<(u64, u64)>,
    /// Bytes of the text.
    bytes: usize,
}

impl Lines {
    fn of(text: &str, call: &Call) -> Self {
        let first = text.lines().find_map(number);
        let last = text.lines().rev().find_map(number);
        Self {
            asks_all: !call.reads_part(),
            numbers: first.zip(last),
            bytes: text.len(),
        }
    }

    /// Whether all lines of an earlier read are among them, as far as the file still has them. An answer that is much shorter says something
    /// else than what the file holds.
    fn cover(self, earlier: Self) -> bool {
        let has_numbers = || {
            let ((from, to), (first, last)) = self.numbers.zip(earlier.numbers)?;
            Some(from <= first && last <= to)
        };
        let are_alike =
            self.numbers.is_some() == earlier.numbers.is_some() && self.bytes >= earlier.bytes / 2;
        self.asks_all && earlier.asks_all && are_alike || has_numbers().unwrap_or(false)
    }
}

/// The number that a line of a read begins with: `   12→` or `12⇥`.
fn number(line: &str) -> Option<u64> {
    let line = line.trim_start_matches(' ');
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = line.split_at(digits);
    rest.starts_with(['→', '\t']).then(|| number.parse().ok())?
}

/// The first and last lines of a text, and those that tell of errors; `None` where that is all of it.
fn edges_and_errors(text: &str) -> Option<Selection> {
    let mut shown: Vec<bool> = text.split('\n').map(|_| false).collect();
    let lines = shown.len();
    let mut errors = 0;
    for (at, line) in text.split('\n').enumerate() {
        let is_edge = at < EDGE_LINES || at + EDGE_LINES >= lines;
        let is_error = errors < MAX_ERROR_LINES && tells_of_error(line);
        errors += usize::from(is_error);
        shown[at] = is_edge || is_error;
    }
    Selection::new(shown)?.without_small_gaps(text)
}

fn tells_of_error(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ERROR_WORDS.iter().any(|word| line.contains(word))
}

fn line_count(text: &str) -> usize {
    text.split('\n').count()
}

#[cfg(test)]
mod tests;
