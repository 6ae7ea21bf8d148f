//! [`Pattern`]: which lines of a text are looked for.

use regex::{Regex, RegexBuilder};

/// The largest compiled expression, in bytes. It bounds how long a text is searched: by its length times this.
const MAX_COMPILED: usize = 1 << 20;

/// A regular expression that can't be used, and why.
#[derive(Debug, thiserror::Error)]
#[error(
    "the pattern can't be used ({0}); it is a regular expression without look-around and back-references, for one line at a time: \"error|warning\", \"^fn \\\\w+\""
)]
pub(super) struct NotAPattern(regex::Error);

/// A regular expression for single lines.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Regex);

impl Pattern {
    /// Whether it matches somewhere in a line. The carriage return at the line's end is no part of it.
    pub(super) fn matches(&self, line: &str) -> bool {
        self.0.is_match(line.strip_suffix('\r').unwrap_or(line))
    }
}

impl std::str::FromStr for Pattern {
    type Err = NotAPattern;

    fn from_str(pattern: &str) -> Result<Self, NotAPattern> {
        let mut builder = RegexBuilder::new(pattern);
        builder
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED);
        builder.build().map(Self).map_err(NotAPattern)
    }
}
