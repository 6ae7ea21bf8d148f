//! [`Text`]: a text as the compressors read it.

use std::cell::OnceCell;

use super::line_numbers::strip::{Stripped, strip};
use super::lines::lines;
use super::log::detect::is_log;
use super::search::paths::Paths;
use super::tokens::Tokens;
use super::{Deadline, size};

/// A text, with what several compressors ask of it: each is found out once.
#[derive(Debug)]
pub(super) struct Text<'a> {
    /// All of it.
    pub(super) whole: &'a str,
    /// Joined by line breaks they are the text again, so one that ends with a break has an empty last line.
    pub(super) lines: Vec<&'a str>,
    cost: OnceCell<Tokens>,
    stripped: OnceCell<Option<Stripped>>,
    is_log: OnceCell<bool>,
    paths: OnceCell<Paths<'a>>,
}

impl<'a> Text<'a> {
    pub(super) fn new(whole: &'a str) -> Self {
        Self {
            whole,
            lines: lines(whole),
            cost: OnceCell::new(),
            stripped: OnceCell::new(),
            is_log: OnceCell::new(),
            paths: OnceCell::new(),
        }
    }

    /// What it costs.
    pub(super) fn cost(&self) -> Tokens {
        *self.cost.get_or_init(|| size::cost(self.whole))
    }

    /// The text without its line numbers, if it has any.
    pub(super) fn stripped(&self) -> Option<&Stripped> {
        let stripped = || strip(&self.lines);
        self.stripped.get_or_init(stripped).as_ref()
    }

    /// The same, if it is cheaper so.
    pub(super) fn without_numbers(&self) -> Option<&Stripped> {
        self.stripped()
            .filter(|stripped| size::is_cheaper(stripped))
    }

    /// Whether it is a log.
    pub(super) fn is_log(&self, deadline: Deadline) -> bool {
        let is_log = || is_log(&self.lines, deadline);
        *self.is_log.get_or_init(is_log)
    }

    /// The files that it has search results of.
    pub(super) fn paths(&self, deadline: Deadline) -> &Paths<'a> {
        let find = || Paths::of(&self.lines, deadline);
        self.paths.get_or_init(find)
    }
}
