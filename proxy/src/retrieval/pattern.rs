//! [`Pattern`]: which lines of a text are looked for, in time that can be bounded.

use std::time::Instant;

use regex_automata::Input;
use regex_automata::meta::{BuildError, Regex};
use regex_automata::nfa::thompson::NFA;

/// The largest compiled expression, in bytes.
const MAX_COMPILED: usize = 256 << 10;
/// How much is searched between two looks at the clock: bytes of text times states of the expression, each of which may be looked at for each
/// byte. Even the worst expression takes less than a second for it.
const WORK_AT_ONCE: usize = 1 << 24;

/// A regular expression that can't be used, and why.
#[derive(Debug, thiserror::Error)]
#[error(
    "the pattern can't be used ({0}); it is a regular expression without look-around and back-references, for one line at a time: \"error|warning\", \"^fn \\\\w+\""
)]
pub(super) struct NotAPattern(String);

/// The deadline was over before a line was searched to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfTime;

/// A regular expression for single lines.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: Regex,
    /// How many bytes of a line are searched at once.
    piece: usize,
}

impl Pattern {
    /// Whether it matches somewhere in a line. The carriage return at the line's end is no part of it. A line that is longer than
    /// [`Self::piece`] is searched in pieces, of which each begins in the middle of the one before: matches that are longer than half of one
    /// may not be found.
    ///
    /// # Errors
    /// Where the deadline is over first.
    pub(super) fn matches(&self, line: &str, deadline: Instant) -> Result<bool, OutOfTime> {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mut start = 0;
        loop {
            if Instant::now() > deadline {
                return Err(OutOfTime);
            }
            let end = char_boundary(line, start + self.piece);
            if self.regex.is_match(Input::new(line).span(start..end)) {
                return Ok(true);
            }
            if end == line.len() {
                return Ok(false);
            }
            start = char_boundary(line, start + self.piece / 2);
        }
    }

    /// How many bytes of a line are searched at once.
    pub(super) const fn piece(&self) -> usize {
        self.piece
    }
}

/// The last place in a line up to this one that is within no character.
fn char_boundary(line: &str, at: usize) -> usize {
    let mut places = (0..=at.min(line.len())).rev();
    places.find(|at| line.is_char_boundary(*at)).unwrap_or(0)
}

impl std::str::FromStr for Pattern {
    type Err = NotAPattern;

    fn from_str(pattern: &str) -> Result<Self, NotAPattern> {
        let limits = Regex::config().nfa_size_limit(Some(MAX_COMPILED));
        let regex = Regex::builder().configure(limits).build(pattern);
        let regex = regex.map_err(|error| NotAPattern::from(&error))?;
        // The same once more, because the one above does not tell how many states it has.
        let states = NFA::new(pattern).map_err(|_| NotAPattern::too_large())?;
        let piece = WORK_AT_ONCE / states.states().len().max(1);
        Ok(Self { regex, piece })
    }
}

impl NotAPattern {
    fn too_large() -> Self {
        let kib = MAX_COMPILED >> 10;
        Self(format!(
            "compiled, it takes more than {kib} KiB: repeat less, or look for a part of it"
        ))
    }
}

impl From<&BuildError> for NotAPattern {
    fn from(error: &BuildError) -> Self {
        match error.syntax_error() {
            Some(error) => Self(error.to_string()),
            None => Self::too_large(),
        }
    }
}
