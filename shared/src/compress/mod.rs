//! The compressors: each makes a text smaller and has an inverse.
//!
//! A form is a text that a language model reads in place of the original. It opens with one header line for every
//! compressor that had a part in it, outermost first, and each header says how to read what follows it:
//!
//! ```text
//! [headroom: line numbers removed ("   251→"); the next line is line 251]
//! ```
//!
//! [`expand`] takes the headers off again, one after the other. A text that itself begins like a header gets no form, so what
//! is left when no header stands first is the original.
//!
//! Compressors are put together by the plans below: every plan is tried, and the cheapest outcome is the form if it is worth it.
//! What a client puts around a tool's output (`wrapped`) stays where it is; what it is put around gets a form of its own kind.
//! Each compressor is linear in its text and keeps at most a few words of memory a line or JSON value, which bounds the whole at
//! 64 MiB for a block of 1 MiB.

mod ansi;
mod command;
mod duplicate;
mod earlier;
mod gutter;
mod index;
mod json;
mod label;
mod references;
mod runs;
mod same;
mod search;
mod size;
#[cfg(test)]
mod testing;
mod wrapped;

use std::borrow::Cow;

pub use earlier::Earlier;
pub use same::same;

use size::{cost, is_worth};
use wrapped::Wrapped;

/// Version of the forms that [`compress`] makes. It changes whenever the same block may get another form.
pub const VERSION: u32 = 2;

/// What every header begins with.
const OPENING: &str = "[headroom: ";

/// More headers than any plan can stack.
const MAX_HEADERS: usize = 8;

/// The compressors of each plan, in the order in which they are applied.
const PLANS: [&[&dyn Compressor]; 4] = [
    &[&duplicate::Duplicate],
    &[&json::Json],
    &[&gutter::Gutter, &references::References],
    &[&references::References, &search::Search, &runs::Runs],
];

/// Every compressor, each once.
const COMPRESSORS: [&dyn Compressor; 7] = [
    &ansi::Ansi,
    &duplicate::Duplicate,
    &json::Json,
    &gutter::Gutter,
    &references::References,
    &search::Search,
    &runs::Runs,
];

/// A block as a compressor sees it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The text, as the model reads it.
    pub text: &'a str,
    /// Name of the tool whose output it is, when known.
    pub tool: Option<&'a str>,
    /// The tool call's input as JSON text, when known.
    pub input: Option<&'a str>,
}

/// Why a text could not be expanded.
#[derive(Debug, thiserror::Error)]
pub enum ExpandError {
    /// It does not begin with a header.
    #[error("not a form: no header stands first")]
    NotAForm,
    /// No compressor can undo what its outermost header says: another version's form, a damaged one, or one made with
    /// another `earlier`.
    #[error("no compressor can undo {0:?}")]
    Broken(String),
}

/// One way to say a text shorter, with its inverse.
trait Compressor: Sync {
    /// The text with a header line before it, or `None` where this compressor has nothing to do. It need not be smaller.
    fn compress(&self, text: &str, earlier: &Earlier<'_>) -> Option<String>;

    /// The text that [`Compressor::compress`] turned into `header` (without its brackets) and `body`, up to what [`same`] allows.
    /// `None` where the header is another compressor's, or does not fit the body.
    fn expand(&self, header: &str, body: &str, earlier: &Earlier<'_>) -> Option<String>;
}

/// Why a block gets no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoForm {
    /// No compressor makes it cheaper.
    NoGain,
    /// One does, but by less than a form must save.
    BelowFloor,
}

/// The form of a block as the model shall read it (unescaped): at least 4 % and 100 bytes' worth of tokens cheaper, and shorter as the
/// text of a JSON string.
///
/// A form is taken only if expanding it has given the original again, to the letter but for colours of a terminal. They go only
/// where the block is known to be the output of a command that prints no file.
///
/// # Errors
///
/// Where no form is worth it: why.
pub fn compress(block: Source<'_>, earlier: &Earlier<'_>) -> Result<String, NoForm> {
    let text = block.text;
    if text.len() < size::MIN_SAVED_BYTES || text.starts_with(OPENING) {
        return Err(NoForm::NoGain);
    }
    let plain = ansi::readable(block);
    let colourless = matches!(plain, Cow::Owned(_)).then(|| ansi::coloured_form(&plain));
    let starts = [Some(text), colourless.as_deref()];
    let wrapped = Wrapped::of(text)
        .filter(|wrapped| !wrapped.core.starts_with(OPENING))
        .and_then(|wrapped| Some(wrapped.around(&cheapest(&wrapped.core, earlier)?)));
    let form = starts
        .into_iter()
        .flatten()
        .filter_map(|start| cheapest(start, earlier))
        .chain(colourless.clone())
        .chain(wrapped)
        .min_by_key(|form| cost(form))
        .filter(|form| cost(form) < cost(text))
        .ok_or(NoForm::NoGain)?;
    if !is_worth(text, &form) {
        return Err(NoForm::BelowFloor);
    }
    let expands =
        expand(&form, earlier).is_ok_and(|expanded| expanded == text || expanded == plain);
    if expands {
        Ok(form)
    } else {
        Err(NoForm::NoGain)
    }
}

/// The text whose form is `form`, given the same `earlier` as [`compress`] was: the original, up to what [`same`] allows.
///
/// # Errors
///
/// If `form` is not a form, or not one of this version and this `earlier`.
pub fn expand(form: &str, earlier: &Earlier<'_>) -> Result<String, ExpandError> {
    let Some((header, body)) = split_header(form) else {
        return Err(ExpandError::NotAForm);
    };
    match Wrapped::read(header, body) {
        Some(wrapped) => Ok(wrapped.put_back(&take_headers_off(&wrapped.core, earlier)?)),
        None => take_headers_off(form, earlier),
    }
}

/// What a form of the plans stands for.
fn take_headers_off(form: &str, earlier: &Earlier<'_>) -> Result<String, ExpandError> {
    let mut text = Cow::Borrowed(form);
    for _ in 0..MAX_HEADERS {
        let Some((header, body)) = split_header(&text) else {
            break;
        };
        let expanded = COMPRESSORS
            .iter()
            .find_map(|compressor| compressor.expand(header, body, earlier))
            .ok_or_else(|| ExpandError::Broken(header.to_owned()))?;
        text = Cow::Owned(expanded);
    }
    match text {
        Cow::Borrowed(_) => Err(ExpandError::NotAForm),
        Cow::Owned(text) => Ok(text),
    }
}

/// The cheapest outcome of all plans, if any has one.
fn cheapest(text: &str, earlier: &Earlier<'_>) -> Option<String> {
    PLANS
        .iter()
        .filter_map(|plan| apply(plan, text, earlier))
        .min_by_key(|form| cost(form))
}

/// What a plan makes of a text. A compressor that does not make it cheaper is passed over.
fn apply(plan: &[&dyn Compressor], text: &str, earlier: &Earlier<'_>) -> Option<String> {
    let mut form: Option<String> = None;
    for compressor in plan {
        let current = form.as_deref().unwrap_or(text);
        if let Some(next) = compressor.compress(current, earlier)
            && cost(&next) < cost(current)
        {
            form = Some(next);
        }
    }
    form
}

/// The lines of a text. Joined by line breaks they are the text again, so one that ends with a break has an empty last line.
fn lines(text: &str) -> Vec<&str> {
    // A block may be a million empty lines: no growing by doubling.
    let mut lines = Vec::with_capacity(text.matches('\n').count() + 1);
    lines.extend(text.split('\n'));
    lines
}

/// A header line and, on the next line, what it describes.
fn with_header(header: &str, body: &str) -> String {
    format!("{OPENING}{header}]\n{body}")
}

/// The outermost header, without its brackets, and what it describes.
fn split_header(form: &str) -> Option<(&str, &str)> {
    let (line, body) = form.strip_prefix(OPENING)?.split_once('\n')?;
    Some((line.strip_suffix(']')?, body))
}

#[cfg(test)]
mod tests;
