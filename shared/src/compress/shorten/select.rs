//! [`Selection`]: which lines of a text a shortened text shows.

use super::{MARK, MIN_GAP_BYTES};
use crate::compress::lines::lines;

/// Which lines of a text a shortened text shows. Lines are what stands between line breaks, so a text that ends with one has an empty last
/// line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// For each line, whether it stays.
    shown: Vec<bool>,
    /// What is said instead of all lines, where none stays.
    pub(super) instead: Option<String>,
}

impl Selection {
    /// The lines that stay; `None` where all do.
    #[must_use]
    pub fn new(shown: Vec<bool>) -> Option<Self> {
        shown.contains(&false).then_some(Self {
            shown,
            instead: None,
        })
    }

    /// No line of `text` stays, and this is said in their place: what it is, in a few words on one line.
    #[must_use]
    pub fn none_of(text: &str, instead: String) -> Self {
        Self {
            shown: vec![false; lines(text).len()],
            instead: Some(instead),
        }
    }

    /// How many lines the text has.
    pub(crate) const fn len(&self) -> usize {
        self.shown.len()
    }

    /// For each line of the text, whether it is left out.
    pub fn left_out(&self) -> impl Iterator<Item = bool> + '_ {
        self.shown.iter().map(|shown| !shown)
    }

    /// The same, where lines of `text` stay that take no more room than the mark in their place; `None` where all do then.
    #[must_use]
    pub fn without_small_gaps(mut self, text: &str) -> Option<Self> {
        let lines = lines(text);
        for (from, to) in self.gaps() {
            let bytes: usize = lines[from..to].iter().map(|line| line.len() + 1).sum();
            if bytes < MIN_GAP_BYTES {
                self.shown[from..to].fill(true);
            }
        }
        Self::new(self.shown)
    }

    /// The first gap, by the numbers of its first and last line, counted from 1.
    pub(super) fn first_gap(&self) -> Option<(usize, usize)> {
        self.gaps().first().map(|(from, to)| (from + 1, *to))
    }

    /// Each run of lines that are left out: its first line, and the first behind it.
    fn gaps(&self) -> Vec<(usize, usize)> {
        let mut next = 0;
        let runs = self.shown.chunk_by(|a, b| a == b);
        let runs = runs.filter_map(|run| {
            let from = next;
            next += run.len();
            (!run[0]).then_some((from, next))
        });
        runs.collect()
    }

    /// The lines that stay, with marks in place of the others.
    pub(super) fn body(&self, text: &str) -> String {
        let lines = lines(text);
        let mut body = String::with_capacity(text.len() / 2);
        let mut next = 0;
        let gaps = self.gaps();
        let end = (self.len(), self.len());
        for (from, to) in gaps.into_iter().chain([end]) {
            for line in &lines[next..from] {
                body.push_str(line);
                body.push('\n');
            }
            if to > from {
                body.push_str(&format!("{MARK}{}-{to}]\n", from + 1));
            }
            next = to;
        }
        body.pop();
        body
    }
}
