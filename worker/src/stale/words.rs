//! [`Words`]: whether a call names a file.

use std::collections::HashSet;

use headroom_shared::compress::Call;
use headroom_shared::compress::shorten::is_search;
use headroom_shared::contract::job::JobBlock;

/// The words in the inputs of calls, and in texts of users.
pub(super) struct Words<'a>(HashSet<&'a str>);

impl<'a> Words<'a> {
    /// Those of all calls that may change a file: of each tool but those that read one, search or list.
    pub(super) fn of_changes(blocks: &'a [JobBlock]) -> Self {
        let own = blocks.iter().filter(|block| !is_search(block.source()));
        let changes = calls(own.filter_map(call_of).chain(long_calls(blocks)));
        Self::of(changes)
    }

    /// Those of all calls that read no file, and of users, from a message on.
    pub(super) fn of_recent(blocks: &'a [JobBlock], message: u32) -> Self {
        let recent = blocks.partition_point(|block| block.place.message < message);
        let recent = &blocks[recent..];
        let said = recent.iter().filter(|block| block.tool.is_none());
        let said = said.map(|block| block.text.as_str());
        Self::of(calls(recent.iter().filter_map(call_of).chain(long_calls(recent))).chain(said))
    }

    fn of(texts: impl Iterator<Item = &'a str>) -> Self {
        let words = texts.flat_map(|text| text.split(|sign| !is_of_name(sign)));
        // In JSON a word at the beginning of a line comes right behind `\n`.
        Self(
            words
                .flat_map(|word| [Some(word), behind_escape(word)])
                .flatten()
                .collect(),
        )
    }

    /// Whether one of them is a file's name: what is behind the last slash of its path. One that is no single word may be there.
    pub(super) fn name(&self, file: &str) -> bool {
        let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
        self.0.contains(name) || !name.chars().all(is_of_name)
    }
}

/// The tool that a block answers, and its input.
fn call_of(block: &JobBlock) -> Option<(&str, &str)> {
    Some((block.tool.as_deref()?, block.input.as_deref()?))
}

/// The calls whose inputs are long, answered by whatever block.
fn long_calls(blocks: &[JobBlock]) -> impl Iterator<Item = (&str, &str)> {
    let calls = blocks.iter().flat_map(|block| &block.calls);
    calls.map(|call| (call.tool.as_str(), call.input.as_str()))
}

/// The inputs of those calls that read no file.
fn calls<'a>(calls: impl Iterator<Item = (&'a str, &'a str)>) -> impl Iterator<Item = &'a str> {
    let reads_file = |tool, input| Call::of(Some(tool), Some(input)).file_read().is_some();
    let others = calls.filter(move |(tool, input)| !reads_file(tool, input));
    others.map(|(_, input)| input)
}

fn is_of_name(sign: char) -> bool {
    sign.is_alphanumeric() || matches!(sign, '_' | '-' | '.' | '+' | '@')
}

/// What is left of a word without the letter of an escape.
fn behind_escape(word: &str) -> Option<&str> {
    word.strip_prefix(['n', 't', 'r'])
}
