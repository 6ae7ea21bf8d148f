//! What clients and programs put around an output: the lines before and behind it, tags, a code fence, JSON that holds it as a string.
//!
//! ```text
//! {"some": "JSON"}
//!
//! <system-reminder>
//! <total_tokens>184230 tokens left</total_tokens>
//! </system-reminder>
//! ```
//!
//! What is around stays as it is, at its place. The text within gets a form with headers of its own, and may itself have something around
//! it. A text from a JSON string is written without its escapes.

mod escapes;
mod fence;
mod form;
mod json_string;
mod prelude;
mod shell;
mod strings;
mod tags;

use std::borrow::Cow;
use std::ops::Range;

use super::OPENING;
use super::json::parse::LazyDocument;
use super::json::strings::strings as strings_of_json;
use escapes::Escapes;
pub(super) use form::WrappedForm;
pub(super) use strings::{Strings, StringsForm};

/// How deep wrapped texts are within each other.
pub(super) const MAX_DEPTH: usize = 3;

/// What stands on lines of its own. Each is looked for within the others.
const AROUND: [&dyn Wrapper; 3] = [&tags::Tags, &shell::Shell, &fence::Fence];

/// How often [`AROUND`] is gone through: a command's header, within it a fence, and in that tags.
const MAX_ROUNDS: usize = 3;

/// Something that is put around a text on lines of its own.
trait Wrapper: Sync {
    /// Where the text within stands, if there is something around it. Linear in the text.
    fn inside(&self, text: &str) -> Option<Range<usize>>;
}

/// What a text is made of.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    text: &'a str,
    /// Where the text stands within all that is around it on lines of its own.
    lines: Range<usize>,
    /// If that is JSON, the contents of all its strings.
    strings: Vec<Range<usize>>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(whole: &LazyDocument<'a>) -> Self {
        let text = whole.text;
        let lines = inside_lines(text);
        let mut strings = match lines.len() == text.len() {
            true => strings_of_json(whole),
            false => strings_of_json(&LazyDocument::new(&text[lines.clone()])),
        };
        for string in &mut strings {
            *string = lines.start + string.start..lines.start + string.end;
        }
        Self {
            text,
            lines,
            strings,
        }
    }
}

/// A text in three pieces: what is before, the text within, what is after.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrapped<'a> {
    before: &'a str,
    /// The text within, as it is read.
    pub(super) inside: Cow<'a, str>,
    after: &'a str,
    /// Of a text from a JSON string: how it is escaped there.
    escapes: Option<&'static Escapes>,
}

impl<'a> Wrapped<'a> {
    /// Takes off what is around a text.
    pub(super) fn split(text: &'a str) -> Option<Self> {
        Self::of(&Parts::of(&LazyDocument::new(text)))
    }

    /// What is around a text, up to the first JSON string. `None` where there is nothing around it, where nothing is within, and where the
    /// text within begins like a form.
    pub(super) fn of(parts: &Parts<'a>) -> Option<Self> {
        let text = parts.text;
        let (range, inside, escapes) = match json_string::find(parts) {
            Some(string) => {
                let content = Cow::Owned(string.content);
                (string.range, content, Some(string.escapes))
            }
            None => {
                let lines = parts.lines.clone();
                (lines.clone(), Cow::Borrowed(&text[lines]), None)
            }
        };
        let is_wrapped = range.len() < text.len();
        let is_worth_it = !inside.trim().is_empty() && !inside.starts_with(OPENING);
        (is_wrapped && is_worth_it).then(|| Self {
            before: &text[..range.start],
            inside,
            after: &text[range.end..],
            escapes,
        })
    }

    /// Where the text within begins.
    pub(super) fn start(&self) -> usize {
        self.before.len()
    }

    /// Whether the text within has lines that the whole text has not.
    pub(super) fn is_string(&self) -> bool {
        self.escapes.is_some()
    }
}

/// Where the text stands within all that is around it on lines of its own.
pub(super) fn inside_lines(text: &str) -> Range<usize> {
    let mut found = 0..text.len();
    let narrow = |found: &Range<usize>, inside: Range<usize>| {
        found.start + inside.start..found.start + inside.end
    };
    for _ in 0..MAX_ROUNDS {
        let before = found.clone();
        for wrapper in AROUND {
            if let Some(inside) = wrapper.inside(&text[found.clone()]) {
                found = narrow(&found, inside);
            }
        }
        if found == before {
            break;
        }
    }
    match prelude::Prelude.inside(&text[found.clone()]) {
        Some(inside) => narrow(&found, inside),
        None => found,
    }
}

/// The texts within a text, each within the one before it.
pub(super) fn insides(text: &str) -> Vec<Cow<'_, str>> {
    insides_of(&Parts::of(&LazyDocument::new(text)))
}

/// The same of a text in its parts.
pub(super) fn insides_of<'a>(parts: &Parts<'a>) -> Vec<Cow<'a, str>> {
    let mut insides: Vec<Cow<'_, str>> = Vec::new();
    while insides.len() < MAX_DEPTH {
        let next = match insides.last() {
            None => Wrapped::of(parts).map(|wrapped| wrapped.inside),
            Some(Cow::Borrowed(inside)) => Wrapped::split(inside).map(|wrapped| wrapped.inside),
            Some(Cow::Owned(inside)) => {
                let wrapped = Wrapped::split(inside);
                wrapped.map(|wrapped| Cow::Owned(wrapped.inside.into_owned()))
            }
        };
        let Some(next) = next else { break };
        insides.push(next);
    }
    insides
}

#[cfg(test)]
mod tests;
