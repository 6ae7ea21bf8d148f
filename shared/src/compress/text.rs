//! [`Text`]: a text as the compressors read it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use super::earlier::Block;
use super::json::parse::LazyDocument;
use super::line_numbers::strip::{Stripped, strip};
use super::lines::lines;
use super::log::detect::is_log;
use super::prefixes::find::Beginnings;
use super::references::find::{self as references, Reference};
use super::references::window::{Window, windows};
use super::runs::find::{Run, find};
use super::search::paths::Paths;
use super::tokens::Tokens;
use super::{Context, Deadline, size};

/// A text, with what several compressors ask of it: each is found out once.
#[derive(Debug)]
pub(super) struct Text<'a> {
    /// All of it.
    pub(super) whole: &'a str,
    lines: OnceCell<Vec<&'a str>>,
    found: Rc<Found>,
    stripped: OnceCell<Option<Stripped>>,
    found_of_stripped: Rc<Found>,
    is_log: OnceCell<bool>,
    paths: OnceCell<Paths<'a>>,
    prefixes: OnceCell<Option<Beginnings<'a>>>,
    json: LazyDocument<'a>,
}

/// What is found out about a text apart from its lines: texts that are equal may share it.
#[derive(Debug, Default)]
pub(super) struct Found {
    cost: OnceCell<Tokens>,
    windows: OnceCell<Vec<Window>>,
    references: OnceCell<References>,
    runs: OnceCell<Vec<Run>>,
}

/// What of a text stands in earlier blocks.
#[derive(Debug)]
struct References {
    /// The last of these blocks. Before it are always the same ones: blocks are only added behind it, or taken away at the end.
    last: Option<Arc<Block>>,
    found: Vec<Reference>,
}

impl<'a> Text<'a> {
    pub(super) fn new(whole: &'a str) -> Self {
        Self::with(whole, Rc::default())
    }

    /// A text of which this is known.
    pub(super) fn with(whole: &'a str, found: Rc<Found>) -> Self {
        Self {
            whole,
            lines: OnceCell::new(),
            found,
            stripped: OnceCell::new(),
            found_of_stripped: Rc::default(),
            is_log: OnceCell::new(),
            paths: OnceCell::new(),
            prefixes: OnceCell::new(),
            json: LazyDocument::new(whole),
        }
    }

    /// Its lines. Joined by line breaks they are the text again, so one that ends with a break has an empty last line.
    pub(super) fn lines(&self) -> &[&'a str] {
        self.lines.get_or_init(|| lines(self.whole))
    }

    /// What it costs.
    pub(super) fn cost(&self) -> Tokens {
        self.found.cost(self.whole)
    }

    /// The same, where `find` finds it out in less time than by estimating all of it.
    pub(super) fn cost_by(&self, find: impl FnOnce() -> Tokens) -> Tokens {
        self.found.cost_by(find)
    }

    /// Its windows.
    pub(super) fn windows(&self, deadline: Deadline) -> &[Window] {
        let windows = || windows(self.lines(), deadline);
        self.found.windows.get_or_init(windows)
    }

    /// What of it stands in the earlier blocks. Where it is asked again with other blocks, it is found anew.
    pub(super) fn references(&self, context: Context<'_>) -> Cow<'_, [Reference]> {
        let earlier = context.earlier;
        if earlier.has_no_lines() {
            return Cow::default();
        }
        let find = || references::find(self.lines(), self.windows(earlier.deadline), context);
        let known = self.found.references.get_or_init(|| References {
            last: earlier.blocks.last().cloned(),
            found: find(),
        });
        let is_same = match (&known.last, earlier.blocks.last()) {
            (Some(known), Some(last)) => Arc::ptr_eq(known, last),
            (known, last) => known.is_none() && last.is_none(),
        };
        match is_same {
            true => Cow::Borrowed(&known.found),
            false => Cow::Owned(find()),
        }
    }

    /// The runs of its lines.
    pub(super) fn runs(&self, deadline: Deadline) -> &[Run] {
        let runs = || find(self.lines(), deadline);
        self.found.runs.get_or_init(runs)
    }

    /// The text without its line numbers, if it has any.
    pub(super) fn stripped(&self) -> Option<&Stripped> {
        let stripped = || strip(self.lines());
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
        let is_log = || is_log(self.whole, self.lines(), deadline);
        *self.is_log.get_or_init(is_log)
    }

    /// The JSON that it may be.
    pub(super) const fn json(&self) -> &LazyDocument<'a> {
        &self.json
    }

    /// The beginnings of its paths that are worth a sign; what a file holds has none.
    pub(super) fn prefixes(&self, context: Context<'_>) -> Option<&Beginnings<'a>> {
        let find = || {
            if context.call.reads_file {
                return None;
            }
            let deadline = context.earlier.deadline;
            let found = Beginnings::of(self.whole, self.lines(), deadline)?;
            self.without_numbers().is_none().then_some(found)
        };
        self.prefixes.get_or_init(find).as_ref()
    }

    /// The files that it has search results of.
    pub(super) fn paths(&self, deadline: Deadline) -> &Paths<'a> {
        let find = || Paths::of(self.whole, self.lines(), deadline);
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
