//! Shortened texts: some lines or words are left out, which an agent can fetch again with its retrieval tool.
//!
//! A shortened text begins with a header that names the original. Each line of it is a line of the original, perhaps without some words, or
//! a mark that stands for lines that are left out:
//!
//! ```text
//! [headroom_retrieve("3f2a9c0b7d1e4856") returns all 260 lines of this; "[…41-77]" stands for lines 41 to 77]
//! running 236 tests
//! […2-231]
//! test parse::an_empty_body ... FAILED
//! ```
//!
//! Of a page of the web that was fetched as HTML the text is shown instead: `page`.
//!
//! [`is_shortened_of`] checks that against the original, so what a shortened text says is never changed, whatever chose the lines.
//! Unlike a compressor's form it can't be expanded without its original.

mod call_kind;
mod check;
mod code;
mod diffs;
mod fetched;
mod line_matches;
mod line_message;
mod listings;
mod messages;
mod old;
mod outputs;
mod page;
mod redirection;
mod reports;
mod script;
mod searches;
mod select;
mod signatures;
mod signs;
mod table;
mod words;

pub use self::call_kind::{is_of, kind_of};
pub use self::check::is_shortened_of;
pub use self::fetched::{Fetched, original_fetched};
pub use self::old::{ends, select_old};
pub(super) use self::page::{is_page, show_page, text_of as text_of_page};
pub use self::select::Selection;
pub use self::signatures::signatures;

use super::Source;
use super::json::{self, parse::LazyDocument};
use crate::compress;
use crate::contract::id::OriginalId;
use crate::contract::output_kind::OutputKind;
use crate::contract::retrieval::is_retrieval_tool;

/// A gap of fewer bytes is not worth its mark: the lines stay.
const MIN_GAP_BYTES: usize = 48;

/// What a mark begins with.
const MARK: &str = "[…";

/// What a header begins with: the call of the retrieval tool.
const OPENING: &str = "[headroom_retrieve(\"";

/// The lines that stay of the output of a tool, given that the agent can fetch the rest again; `None` where all stay.
#[must_use]
pub fn select(block: Source<'_>) -> Option<Selection> {
    if !may_shorten(block) {
        return None;
    }
    outputs::select(block).and_then(|selection| selection.without_small_gaps(block.text))
}

/// Whether a text is prose out of which words may be left: a report, a page of the web, or what a person said at length.
#[must_use]
pub fn is_prose(block: Source<'_>) -> bool {
    let is_report = || kind_of(block) == OutputKind::Report;
    may_shorten(block)
        && !json::is_json(&LazyDocument::new(block.text))
        && (block.tool.is_none() || is_report())
        && !is_page(block)
}

/// Whether a text may be shortened at all: it is no answer of the retrieval tool, and nothing in it looks like what shortening adds.
#[must_use]
pub fn may_shorten(block: Source<'_>) -> bool {
    let is_retrieved = block.tool.is_some_and(is_retrieval_tool);
    !is_retrieved && !block.text.contains(OPENING) && !block.text.contains(MARK)
}

/// The text with this header before it that shows these lines alone.
#[must_use]
pub fn show(text: &str, selection: &Selection, original: OriginalId) -> String {
    let count = selection.len();
    match &selection.instead {
        Some(instead) => {
            format!("{OPENING}{original}\") returns the {count} lines left out here: {instead}]")
        }
        None => {
            let body = selection.body(text);
            let example = selection
                .first_gap()
                .map_or_else(String::new, |(from, to)| {
                    format!("; \"{MARK}{from}-{to}]\" stands for lines {from} to {to}")
                });
            format!("{OPENING}{original}\") returns all {count} lines of this{example}]\n{body}")
        }
    }
}

/// The text with this header before it whose lines lack some words: `shortened` is without the header.
#[must_use]
pub fn show_words(shortened: &str, original: OriginalId) -> String {
    format!(
        "{OPENING}{original}\") returns the whole text; unimportant words are left out here]\n{shortened}"
    )
}

/// Which original a form names that is a shortened text, or has one behind the headers of compressors.
#[must_use]
pub fn original_of(form: &str) -> Option<OriginalId> {
    let mut lines = form.lines();
    let header = lines.find(|line| !line.starts_with(compress::OPENING))?;
    header
        .strip_prefix(OPENING)?
        .split_once("\")")?
        .0
        .parse()
        .ok()
}

#[cfg(test)]
mod tests;
