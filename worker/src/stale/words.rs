//! [`Words`]: whether a call names a file.

use std::collections::HashSet;

use headroom_shared::compress::Call;
use headroom_shared::contract::job::JobBlock;

/// The words in the inputs of all calls that read no file: those that write one, search in it or run it name it.
pub(super) struct Words<'a>(HashSet<&'a str>);

impl<'a> Words<'a> {
    pub(super) fn of(blocks: &'a [JobBlock]) -> Self {
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
    pub(super) fn name(&self, file: &str) -> bool {
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
