//! Pages of the web: where a tool has fetched one as HTML, its text is shown.
//!
//! ```text
//! [headroom_retrieve("3f2a9c0b7d1e4856") returns this page as it came, 812 lines of HTML, from which `lines` and `pattern` choose; below is its text alone]
//! ```
//!
//! No line of the text need be one of the original, so the check is another one than that of other shortened texts: the text is made anew
//! from the original, and must be the same to the letter. It depends on the original, this code and the tokenizer's version alone.

mod fetching;
mod start_tag;
mod tags;
mod writer;

use self::fetching::is_fetched;
use super::{OPENING, may_shorten};
use crate::compress::Source;
use crate::compress::lines::lines;
use crate::compress::wrapper;
use crate::contract::id::OriginalId;

/// A page of less text stays as it is, in bytes: its markup or its scripts are what there is to see.
const MIN_TEXT_BYTES: usize = 256;

/// How a page begins, in lower case, after white space.
const BEGINNINGS: [&str; 2] = ["<!doctype html", "<html"];

/// What stands in the header of a page's text, before and behind the number of lines.
const AS_IT_CAME: &str = "\") returns this page as it came, ";
const TEXT_ALONE: &str =
    " lines of HTML, from which `lines` and `pattern` choose; below is its text alone]\n";

/// Whether a block is a page of the web that a tool has fetched, with or without lines around it that a client has put there: not one that
/// was read from a file, or that a server of this machine has returned, which an agent may be working on.
pub(crate) fn is_page(block: Source<'_>) -> bool {
    // What the call says is short.
    is_fetched(block) && page_in(block.text).is_some() && may_shorten(block)
}

/// The text of a page, between the lines that stand around the page; `None` where the text is no page, or a page with hardly any text.
pub(crate) fn text_of(text: &str) -> Option<String> {
    let [before, page, after] = page_in(text)?;
    let page = writer::text_of(page);
    (page.len() >= MIN_TEXT_BYTES).then(|| [before, &page, after].concat())
}

/// The text of a page with the header before it that names the page.
#[must_use]
pub(crate) fn show_page(page_text: &str, text: &str, original: OriginalId) -> String {
    let count = lines(text).len();
    format!("{OPENING}{original}{AS_IT_CAME}{count}{TEXT_ALONE}{page_text}")
}

/// Whether a shortened text says of itself that it is the text of a page.
pub(super) fn is_of_page(shortened: &str) -> bool {
    let header = shortened.split_once('\n').map_or("", |(header, _)| header);
    header.contains(AS_IT_CAME)
}

/// Whether `shortened` is the text of the page `text`, with the header that names it.
pub(super) fn is_text_of(shortened: &str, text: &str, original: OriginalId) -> bool {
    text_of(text).is_some_and(|page| show_page(&page, text, original) == shortened)
}

/// A text in three pieces, the second of which is a page of HTML: what clients put before it, the page, what they put behind it.
fn page_in(text: &str) -> Option<[&str; 3]> {
    if begins_page(text) {
        return Some(["", text, ""]);
    }
    let inside = wrapper::inside_lines(text);
    let page = &text[inside.clone()];
    begins_page(page).then_some([&text[..inside.start], page, &text[inside.end..]])
}

fn begins_page(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    BEGINNINGS.into_iter().any(|beginning| {
        let start = text.as_bytes().get(..beginning.len());
        let next = text.as_bytes().get(beginning.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(beginning.as_bytes()))
            && next.is_none_or(|next| b" \t\r\n>/".contains(next))
    })
}

#[cfg(test)]
mod tests;
