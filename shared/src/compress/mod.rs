//! The compressors: each makes a text cheaper, and has an inverse.
//!
//! A form is a text that a language model reads in place of the original. It begins with one header line for each compressor that was
//! applied, the last one first, and each header says how to read what follows it:
//!
//! ```text
//! [headroom: line numbers removed, from "   251→" on]
//! ```
//!
//! [`expand`] undoes the compressors, one header after the other. A text that itself begins like a header gets no form, so the text is the
//! original when no header is left.
//!
//! The plans (`plans`) combine the compressors: every plan is tried, and the cheapest result is the form if it is worth it. What a client puts
//! around a tool's output (`wrapper`) stays as it is; the output within gets the form.
//! Each compressor is linear in its text and keeps at most a few words of memory a line or JSON value, which bounds the whole at
//! 64 MiB for a block of 1 MiB.

mod ansi;
mod call;
mod command;
mod deadline;
mod diff;
mod duplicate;
mod earlier;
mod expand;
mod form;
mod index;
mod json;
mod line_numbers;
mod lines;
mod log;
mod lookup;
mod patch;
mod place;
mod plans;
mod prefixes;
mod prepared;
mod references;
mod runs;
mod search;
pub mod shorten;
mod size;
#[cfg(test)]
mod testing;
mod text;
mod tokens;
mod within;
mod wrapper;

use std::borrow::Cow;

pub use call::Call;
pub use deadline::Deadline;
pub use earlier::Earlier;
pub use expand::{ExpandError, expand};
pub use prepared::Prepared;

use crate::contract::retrieval::is_retrieval_tool;
use form::Form;
use lines::{each_line, push_line};
use plans::{PLANS, cheapest};
use text::Text;
use within::form_of_wrapped;

/// Version of the forms that [`compress`] makes. It changes whenever the same block may get another form.
pub const VERSION: u32 = 9;

/// What every header begins with.
const OPENING: &str = "[headroom: ";

/// More than any form of ours expands to: stops a damaged one.
const MAX_EXPANDED_BYTES: usize = 1 << 30;

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

/// What a form may depend on besides its text.
#[derive(Debug, Clone, Copy)]
struct Context<'a> {
    /// What stands before the block.
    earlier: &'a Earlier,
    /// The tool call whose output the block is.
    call: &'a Call,
}

/// One way to make a text cheaper, with its inverse.
trait Compressor: Sync {
    /// The text with a header line before it, or `None` where this compressor has nothing to do. It need not be cheaper.
    fn form(&self, text: &Text<'_>, context: Context<'_>) -> Option<Form>;

    /// The text, to the letter, that [`Compressor::form`] turned into `header` (without its brackets) and `body`.
    /// `None` where the header is another compressor's, or does not fit the body.
    fn expand(&self, header: &str, body: &str, earlier: &Earlier) -> Option<String>;
}

/// Why a block gets no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoForm {
    /// No compressor makes it cheaper.
    NoGain,
    /// One does, but by less than a form must save.
    BelowFloor,
    /// The deadline came first: whether there is a form is not known.
    OutOfTime,
}

/// The form of a block: see [`Prepared::compress`].
///
/// # Errors
///
/// Where no form is worth it, or the deadline of `earlier` is over before it is found: why.
pub fn compress(block: Source<'_>, earlier: &Earlier) -> Result<String, NoForm> {
    Prepared::of(block).compress(earlier)
}

impl Prepared<'_> {
    /// The form of the block as the model shall read it (unescaped): at least 4 % and 24 tokens cheaper, and shorter as the
    /// text of a JSON string. Where the agent can fetch the text again, it may be a shortened one that is so much cheaper once more.
    ///
    /// A form is taken only if it [gives the block back](Prepared::gives_back).
    ///
    /// # Errors
    ///
    /// Where no form is worth it, or the deadline of `earlier` is over before it is found: why.
    pub fn compress(&self, earlier: &Earlier) -> Result<String, NoForm> {
        let text = self.source.text;
        if text.is_empty() || text.starts_with(OPENING) {
            return Err(NoForm::NoGain);
        }
        if self.is_cut.get() {
            // What is known of it may be a part.
            return Err(NoForm::OutOfTime);
        }
        if self.source.tool.is_some_and(is_retrieval_tool) {
            // The agent has asked for all of it.
            return Err(NoForm::NoGain);
        }
        let form = self.lossless_form(earlier);
        if matches!(form, Err(NoForm::OutOfTime)) {
            return Err(NoForm::OutOfTime);
        }
        let shortened = self.shortened_form(earlier, form.as_ref().ok());
        if earlier.deadline.is_over() {
            self.is_cut.set(true);
            return Err(NoForm::OutOfTime);
        }
        shortened.map_or(form, Ok).map(|form| form.text)
    }

    /// The cheapest form that leaves out nothing.
    fn lossless_form(&self, earlier: &Earlier) -> Result<Form, NoForm> {
        let out_of_time = || earlier.deadline.is_over();
        if out_of_time() {
            return Err(NoForm::OutOfTime);
        }
        let context = self.context(earlier);
        let original = self.text();
        // First what is within it, so that the lines of one text at a time are in memory.
        let of_wrapped = form_of_wrapped(original, self.parts(), context, 1);
        let readable = ansi::readable(self.source);
        let colourless =
            matches!(readable, Cow::Owned(_)).then(|| Form::new(ansi::coloured_form(&readable)));
        let of_colourless = colourless
            .as_ref()
            .and_then(|form| cheapest(&PLANS, &form.as_text(), context));
        let forms = [
            cheapest(&PLANS, original, context),
            of_colourless,
            colourless,
            of_wrapped,
        ];
        // Past the deadline the compressors' loops ended early, so the texts above may be incomplete.
        if out_of_time() {
            self.is_cut.set(true);
            return Err(NoForm::OutOfTime);
        }
        let form = forms
            .into_iter()
            .flatten()
            .min_by_key(|form| form.cost)
            .filter(|form| form.cost < original.cost())
            .ok_or(NoForm::NoGain)?;
        if !form.is_worth_sending(original) {
            return Err(NoForm::BelowFloor);
        }
        if gives_back(&form.text, self.source, earlier) {
            Ok(form)
        } else {
            Err(NoForm::NoGain)
        }
    }

    /// The cheapest form that leaves out what an agent can fetch again, if it is cheap enough to be worth that, given the form that leaves
    /// out nothing.
    fn shortened_form(&self, earlier: &Earlier, lossless: Option<&Form>) -> Option<Form> {
        let original = self.original?;
        let shortened = Form::new(self.shortened()?);
        let shorter = cheapest(&PLANS, &shortened.as_text(), self.context(earlier));
        let shorter = shorter.filter(|form| {
            form.cost < shortened.cost && shorten::original_of(&form.text) == Some(original)
        });
        let form = shorter.unwrap_or(shortened);
        let cost = lossless.map_or_else(|| self.text().cost(), |form| form.cost);
        let is_worth = form.is_worth_leaving_out(self.text(), cost);
        (is_worth && self.gives_back(&form.text, earlier)).then_some(form)
    }

    fn context<'a>(&'a self, earlier: &'a Earlier) -> Context<'a> {
        Context {
            earlier,
            call: self.call(),
        }
    }

    /// Whether a form gives the block back: [to the letter](gives_back), or, where an agent can fetch the text again, as a shortened text
    /// that shows nothing else.
    #[must_use]
    pub fn gives_back(&self, form: &str, earlier: &Earlier) -> bool {
        match expand(form, earlier) {
            Ok(text) => shows_all(&text, self.source) || self.is_shortened(&text),
            Err(ExpandError::NotAForm) => self.is_shortened(form),
            Err(ExpandError::Broken(_)) => false,
        }
    }

    /// Whether a text is a shortened one of the block's.
    fn is_shortened(&self, text: &str) -> bool {
        let whole = self.source.text;
        self.original
            .is_some_and(|original| shorten::is_shortened_of(text, whole, original))
    }
}

/// The estimate of a text's tokens by which forms are compared, line numbers aside, in thousandths. For tests and benches, not an interface.
#[doc(hidden)]
#[must_use]
pub fn estimated_millitokens(text: &str) -> u64 {
    tokens::estimate(text).in_thousandths()
}

/// Whether a form gives its block back to the letter. Only colours of a terminal may be missing, and only where the block is known to be
/// the output of a command that prints no file.
#[must_use]
pub fn gives_back(form: &str, block: Source<'_>, earlier: &Earlier) -> bool {
    expand(form, earlier).is_ok_and(|expanded| shows_all(&expanded, block))
}

/// Whether a text is a block's, perhaps without the colours of a terminal.
fn shows_all(text: &str, block: Source<'_>) -> bool {
    text == block.text || text == ansi::readable(block)
}

/// A header line and, on the next line, what it describes.
fn with_header(header: &str, body: &str) -> String {
    [OPENING, header, "]\n", body].concat()
}

/// The outermost header, without its brackets, and what it describes.
fn split_header(form: &str) -> Option<(&str, &str)> {
    let (line, body) = form.strip_prefix(OPENING)?.split_once('\n')?;
    Some((line.strip_suffix(']')?, body))
}

/// Whether a text begins with a header that begins so.
fn has_header(text: &str, beginning: &str) -> bool {
    let header = text.strip_prefix(OPENING);
    header.is_some_and(|header| header.starts_with(beginning))
}

#[cfg(test)]
mod tests;
