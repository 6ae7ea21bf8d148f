//! The form of a text that has something around it: a header says how much stands before and after the text within.

use super::{Escapes, Wrapped};
use crate::compress::form::Form;
use crate::compress::size::{cost_around, cost_within};
use crate::compress::text::Text;
use crate::compress::tokens::Tokens;
use crate::compress::with_header;

const FIRST: &str = "the first ";
const LAST: &str = "the last ";
const AND: &str = " and ";
const AROUND: &str = " bytes stand as they were; the rest ";
const HEADER: &str = "has a header of its own";
const BOTH: &str = ", and ";
const STRING: &str = "was the content of a JSON string, escaped";

/// A form of a wrapped text, in its pieces.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::compress) struct WrappedForm<'a> {
    before: &'a str,
    /// The text within, or its form.
    pub(in crate::compress) inside: &'a str,
    after: &'a str,
    /// Whether `inside` is a form.
    pub(in crate::compress) has_header: bool,
    escapes: Option<&'static Escapes>,
}

impl Wrapped<'_> {
    /// The form of the whole text, given that of the text within.
    pub(in crate::compress) fn around(&self, inside: &Form) -> Form {
        let text = self.with_form(&inside.text);
        let before = &text[..text.len() - self.after.len() - inside.text.len()];
        let cost = cost_around(before, (&inside.text, inside.cost), self.after);
        Form::costing(text, cost)
    }

    /// What the text within costs, given the whole text, in which it stands as it is read.
    pub(in crate::compress) fn cost_of_inside(&self, whole: &Text<'_>) -> Tokens {
        cost_within(self.before, (&self.inside, whole.cost()), self.after)
    }

    /// The text of that, given that of the text within.
    pub(in crate::compress) fn with_form(&self, form: &str) -> String {
        let string = self
            .escapes
            .map(|escapes| format!("{BOTH}{STRING}{}", escapes.name));
        self.with(&format!("{HEADER}{}", string.unwrap_or_default()), form)
    }

    /// The form of the whole text in which the text within stands as it is read; `None` where it stands so in the text.
    pub(in crate::compress) fn unescaped(&self) -> Option<String> {
        let escapes = self.escapes?;
        Some(self.with(&format!("{STRING}{}", escapes.name), &self.inside))
    }

    fn with(&self, description: &str, inside: &str) -> String {
        let describe = |which: &str, piece: &str| match piece.len() {
            0 => None,
            len => Some(format!("{which}{len}")),
        };
        let pieces = [describe(FIRST, self.before), describe(LAST, self.after)];
        let pieces: Vec<String> = pieces.into_iter().flatten().collect();
        let header = format!("{}{AROUND}{description}", pieces.join(AND));
        with_header(&header, &[self.before, inside, self.after].concat())
    }
}

impl<'a> WrappedForm<'a> {
    /// Reads what [`Wrapped::with_form`] or [`Wrapped::unescaped`] made, given as its header and what follows that.
    pub(in crate::compress) fn read(header: &str, body: &'a str) -> Option<Self> {
        let (pieces, description) = header.split_once(AROUND)?;
        let (has_header, string) = match description.strip_prefix(HEADER) {
            Some("") => (true, None),
            Some(rest) => (true, Some(rest.strip_prefix(BOTH)?)),
            None => (false, Some(description)),
        };
        let escapes = match string {
            Some(string) => Some(Escapes::named(string.strip_prefix(STRING)?)?),
            None => None,
        };
        let (before, after) = lengths(pieces)?;
        let (before, rest) = body.split_at_checked(before)?;
        let (inside, after) = rest.split_at_checked(rest.len().checked_sub(after)?)?;
        Some(Self {
            before,
            inside,
            after,
            has_header,
            escapes,
        })
    }

    /// The whole text, given the text within.
    pub(in crate::compress) fn restore(&self, inside: &str) -> String {
        match self.escapes {
            Some(escapes) => [self.before, &escapes.escape(inside), self.after].concat(),
            None => [self.before, inside, self.after].concat(),
        }
    }
}

/// Bytes before and after, from `the first 1 and the last 2`.
fn lengths(pieces: &str) -> Option<(usize, usize)> {
    let (before, rest) = match pieces.strip_prefix(FIRST) {
        Some(rest) => {
            let (number, rest) = rest.split_once(AND).unwrap_or((rest, ""));
            (number.parse().ok()?, rest)
        }
        None => (0, pieces),
    };
    let after = match rest.strip_prefix(LAST) {
        Some(number) => number.parse().ok()?,
        None => rest.is_empty().then_some(0)?,
    };
    Some((before, after))
}
