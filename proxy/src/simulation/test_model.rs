//! A model that leaves words out, and texts that only a model makes much shorter, for tests.

use headroom_shared::compress::Deadline;
use headroom_worker::shortener::{ShortenError, Shortener, TokensLeft};

/// Leaves one word of three in each line.
#[derive(Debug)]
pub(crate) struct OneWordOfThree;

impl Shortener for OneWordOfThree {
    fn shorten(
        &self,
        text: &str,
        _: &mut TokensLeft,
        _: Deadline,
    ) -> Result<Option<String>, ShortenError> {
        let shorter = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().step_by(3).collect();
            words.join(" ")
        };
        let lines: Vec<String> = text.split('\n').map(shorter).collect();
        Ok(Some(lines.join("\n")))
    }

    fn identity(&self) -> &'static str {
        "00"
    }
}

/// What an agent reports in so many long lines of some 360 bytes, none of which says what another does.
pub(crate) fn report(name: usize, lines: usize) -> String {
    const SYLLABLES: [&str; 8] = ["ba", "cor", "di", "fen", "go", "lum", "ni", "ster"];
    let mut state = u32::try_from(name).unwrap();
    let mut syllable = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        SYLLABLES[(state >> 29) as usize]
    };
    let mut word = |_| (0..3).map(&mut syllable).collect::<String>() + " ";
    let mut line = |_| (0..40).map(&mut word).collect::<String>() + "\n";
    (0..lines).map(&mut line).collect()
}
