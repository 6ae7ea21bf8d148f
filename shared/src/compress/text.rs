//! [`Text`]: a text as the compressors read it.

use std::cell::OnceCell;

use super::line_numbers::{self, Stripped};
use super::lines::lines;
use super::size;
use super::tokens::Tokens;

/// A text, with what several compressors ask of it: each is found out once.
#[derive(Debug)]
pub(super) struct Text<'a> {
    /// All of it.
    pub(super) whole: &'a str,
    /// Joined by line breaks they are the text again, so one that ends with a break has an empty last line.
    pub(super) lines: Vec<&'a str>,
    cost: OnceCell<Tokens>,
    stripped: OnceCell<Option<Stripped>>,
}

impl<'a> Text<'a> {
    pub(super) fn new(whole: &'a str) -> Self {
        Self {
            whole,
            lines: lines(whole),
            cost: OnceCell::new(),
            stripped: OnceCell::new(),
        }
    }

    /// What it costs.
    pub(super) fn cost(&self) -> Tokens {
        *self.cost.get_or_init(|| size::cost(self.whole))
    }

    /// The text without its line numbers, if it has any.
    pub(super) fn stripped(&self) -> Option<&Stripped> {
        let strip = || line_numbers::strip(&self.lines);
        self.stripped.get_or_init(strip).as_ref()
    }

    /// The same, if it is cheaper so.
    pub(super) fn without_numbers(&self) -> Option<&Stripped> {
        self.stripped()
            .filter(|stripped| size::is_cheaper(stripped))
    }
}
