//! [`Form`]: what may stand for a text, and whether it is enough cheaper.

use std::ops::Range;
use std::rc::Rc;

use super::size::cost;
use super::text::{Found, Text};
use super::tokens::Tokens;
use super::with_header;

/// The least that a form must save.
const MIN_SAVED: Tokens = Tokens::whole(24);

/// The least that a form must save, as a share of what its original costs.
const MIN_SAVED_PERCENT: u64 = 4;

/// The least that a form saves which leaves something out, beyond one that does not. A retrieval costs a turn.
const MIN_LEFT_OUT: Tokens = Tokens::whole(100);

/// The same, as a share of what that one costs.
const MIN_LEFT_OUT_PERCENT: u64 = 20;

/// What may stand for a text, and what it costs.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) text: String,
    pub(super) cost: Tokens,
    /// What else is known of the text.
    found: Rc<Found>,
}

impl Form {
    pub(super) fn new(text: String) -> Self {
        Self::with(text, Rc::default())
    }

    /// One with this header.
    pub(super) fn headed(header: &str, body: &str) -> Self {
        Self::new(with_header(header, body))
    }

    /// One of which it is known what it costs.
    pub(super) fn costing(text: String, cost: Tokens) -> Self {
        let found = Rc::<Found>::default();
        found.cost_by(|| cost);
        Self::with(text, found)
    }

    /// One of whose text this is known.
    pub(super) fn with(text: String, found: Rc<Found>) -> Self {
        let cost = found.cost(&text);
        Self { text, cost, found }
    }

    /// The form of a text that has this header, and in which each of these ranges of lines, which are in their order, is replaced by the lines
    /// that `write` appends for it.
    pub(super) fn replacing<T>(
        header: &str,
        text: &Text<'_>,
        ranges: impl IntoIterator<Item = (Range<usize>, T)>,
        mut write: impl FnMut(&mut String, T),
    ) -> Self {
        let mut form = with_header(header, "");
        form.reserve(text.whole.len());
        let mut replaced = vec![("", 0..form.len())];
        let (mut lines, mut rest) = (text.lines(), text.whole);
        let mut at = 0;
        for (range, what) in ranges {
            form.push_str(take_lines(&mut lines, &mut rest, range.start - at));
            let old = take_lines(&mut lines, &mut rest, range.len());
            let start = form.len();
            write(&mut form, what);
            if lines.is_empty() {
                // As the last line of the text has no break, that of the form has none.
                form.pop();
            }
            replaced.push((old, start..form.len()));
            at = range.end;
        }
        form.push_str(rest);
        let pieces = replaced.iter();
        let bytes: usize = pieces.map(|(old, new)| old.len() + new.len()).sum();
        let cost = match bytes < form.len() {
            true => cost_with_replaced(text.cost(), &replaced, &form),
            false => cost(&form),
        };
        Self::costing(form, cost)
    }

    /// Its text.
    pub(super) fn as_text(&self) -> Text<'_> {
        Text::with(&self.text, Rc::clone(&self.found))
    }

    /// Whether it is so much cheaper than what costs `other`, a form that leaves out nothing or the original, that an agent may have to
    /// fetch what it leaves out; and shorter than the original within a JSON string.
    pub(super) fn is_worth_leaving_out(&self, original: &Text<'_>, other: Tokens) -> bool {
        let min_saved = other.percent(MIN_LEFT_OUT_PERCENT).max(MIN_LEFT_OUT);
        self.cost + min_saved <= other && escaped_len(&self.text) < escaped_len(original.whole)
    }

    /// Whether it is enough cheaper than its original, and shorter within a JSON string.
    pub(super) fn is_worth_sending(&self, original: &Text<'_>) -> bool {
        let min_saved = original.cost().percent(MIN_SAVED_PERCENT).max(MIN_SAVED);
        self.cost + min_saved <= original.cost()
            && escaped_len(&self.text) < escaped_len(original.whole)
    }
}

/// What a form costs, given what its text does, and the lines of the text that are replaced, each with the place of those in the form: all other
/// lines cost the same in both.
fn cost_with_replaced(of_text: Tokens, replaced: &[(&str, Range<usize>)], form: &str) -> Tokens {
    let pieces = replaced.iter();
    let (old, new) = pieces.fold(Default::default(), |(old, new), piece| {
        (old + cost(piece.0), new + cost(&form[piece.1.clone()]))
    });
    (of_text + new).saturating_sub(old)
}

/// Takes so many lines from the beginning of a text, which is given in its lines and as a whole.
fn take_lines<'a>(lines: &mut &[&'a str], whole: &mut &'a str, count: usize) -> &'a str {
    let (taken, behind) = lines.split_at(count);
    let with_breaks: usize = taken.iter().map(|line| line.len() + 1).sum();
    // The last line has no break.
    let (text, rest) = whole.split_at(with_breaks.min(whole.len()));
    (*lines, *whole) = (behind, rest);
    text
}

/// Bytes of the text within a JSON string, the quotes not counted.
pub(super) fn escaped_len(text: &str) -> usize {
    let added = text.as_bytes().chunks(ADDED_TOGETHER);
    let added = added.map(|bytes| bytes.iter().copied().map(added_by).sum::<u8>());
    text.len() + added.map(usize::from).sum::<usize>()
}

/// Of so many bytes the sum of what is added fits a byte, so that many are added up at once.
const ADDED_TOGETHER: usize = 48;

/// Bytes that are added to one within a JSON string.
fn added_by(byte: u8) -> u8 {
    let is_short = matches!(byte, b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c);
    let is_control = byte < 0x20;
    u8::from(is_short) + 5 * u8::from(is_control & !is_short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::size::cost;

    #[test]
    fn the_escaped_length_is_that_of_the_json_string() {
        let all: String = (0..0x800).filter_map(char::from_u32).collect();
        let quoted = serde_json::Value::from(all.as_str()).to_string();
        assert_eq!(escaped_len(&all) + 2, quoted.len());
    }

    #[test]
    fn a_form_must_save_four_percent_and_24_tokens() {
        let line = "the same words, many times\n";
        let form = |lines| Form::new(line.repeat(lines));
        let is_worth = |lines, of_form| {
            let text = line.repeat(lines);
            form(of_form).is_worth_sending(&Text::new(&text))
        };
        assert!(is_worth(500, 480));
        assert!(!is_worth(500, 481));
        let fewest = (1..20).find(|lines| form(*lines).cost >= MIN_SAVED);
        assert!(is_worth(20, 20 - fewest.unwrap()));
        assert!(!is_worth(20, 21 - fewest.unwrap()));
    }

    #[test]
    fn a_form_may_not_make_the_body_longer() {
        let (text, form) = ("a b c d ".repeat(250), "\t".repeat(1500));
        assert!(cost(&form) < cost(&text));
        assert!(!Form::new(form).is_worth_sending(&Text::new(&text)));
    }
}
