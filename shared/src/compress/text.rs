//! [`Text`]: a text as the compressors read it.

use std::cell::OnceCell;
use std::rc::Rc;

use super::line_numbers::strip::{Stripped, strip};
use super::lines::lines;
use super::log::detect::is_log;
use super::references::window::{Window, windows};
use super::runs::find::{Run, find};
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
    found: Rc<Found>,
    stripped: OnceCell<Option<Stripped>>,
    found_of_stripped: Rc<Found>,
    is_log: OnceCell<bool>,
    paths: OnceCell<Paths<'a>>,
}

/// What is found out about a text apart from its lines: texts that are equal may share it.
#[derive(Debug, Default)]
pub(super) struct Found {
    cost: OnceCell<Tokens>,
    windows: OnceCell<Vec<Window>>,
    runs: OnceCell<Vec<Run>>,
}

impl<'a> Text<'a> {
    pub(super) fn new(whole: &'a str) -> Self {
        Self::with(whole, Rc::default())
    }

    /// A text of which this is known.
    pub(super) fn with(whole: &'a str, found: Rc<Found>) -> Self {
        Self {
            whole,
            lines: lines(whole),
            found,
            stripped: OnceCell::new(),
            found_of_stripped: Rc::default(),
            is_log: OnceCell::new(),
            paths: OnceCell::new(),
        }
    }

    /// What it costs.
    pub(super) fn cost(&self) -> Tokens {
        self.found.cost(self.whole)
    }

    /// Its windows.
    pub(super) fn windows(&self, deadline: Deadline) -> &[Window] {
        let windows = || windows(&self.lines, deadline);
        self.found.windows.get_or_init(windows)
    }

    /// The runs of its lines.
    pub(super) fn runs(&self, deadline: Deadline) -> &[Run] {
        let runs = || find(&self.lines, deadline);
        self.found.runs.get_or_init(runs)
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

    /// What is known of the text without its line numbers.
    pub(super) fn found_of_stripped(&self) -> Rc<Found> {
        Rc::clone(&self.found_of_stripped)
    }

    /// Whether it is a log.
    pub(super) fn is_log(&self, deadline: Deadline) -> bool {
        let is_log = || is_log(&self.lines, deadline);
        *self.is_log.get_or_init(is_log)
    }

    /// The files that it has search results of.
    pub(super) fn paths(&self, deadline: Deadline) -> &Paths<'a> {
        let find = || Paths::of(self.whole, &self.lines, deadline);
        self.paths.get_or_init(find)
    }
}

impl Found {
    /// What the text costs, which is this one.
    pub(super) fn cost(&self, whole: &str) -> Tokens {
        self.cost_by(|| size::cost(whole))
    }

    /// The same, found out so.
    pub(super) fn cost_by(&self, find: impl FnOnce() -> Tokens) -> Tokens {
        *self.cost.get_or_init(find)
    }
}
