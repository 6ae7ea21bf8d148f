//! [`Words`]: whether a call or a user names a file.

use std::collections::HashSet;

use headroom_shared::compress::Call;
use headroom_shared::contract::job::Payload;

use super::calls;

/// Signs that a name may hold, and that stand beside one in prose: `@main.rs`, `main.rs.`
const BESIDE_NAMES: [char; 4] = ['.', '-', '@', '+'];

/// The words in the inputs of calls, and in texts of users.
pub(super) struct Words<'a>(HashSet<&'a str>);

impl<'a> Words<'a> {
    /// Those of all calls that read no file, and of users behind so many turns of the model.
    pub(super) fn of(payload: &'a Payload, turns: u32) -> Self {
        let reads =
            |(tool, input): &(&str, &str)| Call::of(Some(tool), Some(input)).file_read().is_some();
        let others = calls(payload).filter(|call| !reads(call));
        let blocks = payload.blocks.iter();
        let said = blocks.filter(|block| block.tool.is_none() && block.turn > turns);
        let said = said.map(|block| block.text.as_str());
        Self::of_texts(others.map(|(_, input)| input).chain(said))
    }

    fn of_texts(texts: impl Iterator<Item = &'a str>) -> Self {
        let words = texts.flat_map(|text| text.split(|sign| !is_of_name(sign)));
        // In JSON a word at the beginning of a line comes right behind `\n`.
        let words = words.flat_map(|word| [Some(word), behind_escape(word)]);
        Self(words.flatten().map(bare).collect())
    }

    /// Whether one of them is a file's name: what is behind the last slash of its path. One that is no single word, or may stand escaped in
    /// JSON, may be there.
    pub(super) fn name(&self, file: &str) -> bool {
        let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
        self.0.contains(bare(name)) || !name.is_ascii() || !name.chars().all(is_of_name)
    }
}

fn is_of_name(sign: char) -> bool {
    // What is written without spaces, as Chinese is, may stand beside a name.
    sign.is_ascii_alphanumeric() || sign == '_' || BESIDE_NAMES.contains(&sign)
}

/// A word without what stands beside a name in prose.
fn bare(word: &str) -> &str {
    word.trim_matches(BESIDE_NAMES)
}

/// What is left of a word without the letter of an escape.
fn behind_escape(word: &str) -> Option<&str> {
    word.strip_prefix(['n', 't', 'r'])
}
