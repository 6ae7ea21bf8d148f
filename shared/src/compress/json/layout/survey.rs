//! Finds out how a document is laid out. Each part of its style is taken from the first place that shows it; whether the rest of the text
//! is like that is for the caller to check.

use super::{COLONS, COMMAS, Indent, Layout, OneLine, PADDINGS, Rule};
use crate::compress::json::parse::{Document, Index, Kind};

/// No tool indents further.
pub(super) const MAX_SPACES: usize = 8;

/// The rules that are tried; of those with the fewest exceptions, the first is taken.
const RULES: [Rule; 7] = [
    Rule::None,
    Rule::All,
    Rule::Outermost(1),
    Rule::Outermost(2),
    Rule::Outermost(3),
    Rule::Holders,
    Rule::Objects,
];

/// The layout of a document within a text whose lines end in LF. `None` where it is certainly none that comes back.
pub(super) fn layout(document: &Document<'_>, text: &str) -> Option<Layout> {
    let mut survey = Survey {
        document,
        exceptions: [0; RULES.len()],
        indent: None,
        colon: None,
        rows: None,
        one_line: SeenOneLine::default(),
    };
    for value in document.top() {
        survey.value(value, 0);
    }
    let json = document.whole();
    let (first, last) = (document.top().next()?, document.top().last()?);
    let before = text.len() - json.len() + document.span(first).start;
    let after = text.len() - json.len() + document.span(last).end;
    let ruled = (0..RULES.len()).min_by_key(|rule| survey.exceptions[*rule])?;
    let rule = match survey.rows {
        Some(space) => Rule::Rows(space.to_owned()),
        None => RULES[ruled].clone(),
    };
    Some(Layout {
        exceptions: match rule {
            Rule::Rows(_) => survey.exceptions[0] > 0,
            _ => survey.exceptions[ruled] > 0,
        },
        rule,
        indent: survey.indent.unwrap_or(Indent::Spaces(0)),
        colon: survey.colon.unwrap_or(": "),
        one_line: survey.one_line.completed(),
        crlf: false,
        before: text[..before].to_owned(),
        between: between(document).to_owned(),
        after: text[after..].to_owned(),
    })
}

/// What stands between the first two values of a document.
fn between<'a>(document: &Document<'a>) -> &'a str {
    let mut top = document.top();
    match (top.next(), top.next()) {
        (Some(one), Some(next)) => {
            &document.whole()[document.span(one).end..document.span(next).start]
        }
        _ => "\n",
    }
}

struct Survey<'a> {
    document: &'a Document<'a>,
    /// How many objects and arrays are not as each rule has it.
    exceptions: [usize; RULES.len()],
    indent: Option<Indent>,
    /// What stands between a key and its value where members have lines of their own.
    colon: Option<&'static str>,
    /// What stands after the commas of the outermost array, if they end lines.
    rows: Option<&'a str>,
    one_line: SeenOneLine,
}

/// The parts of [`OneLine`] that have been seen.
#[derive(Default)]
struct SeenOneLine {
    colon: Option<&'static str>,
    comma: Option<&'static str>,
    object: Option<&'static str>,
    array: Option<&'static str>,
}

impl SeenOneLine {
    /// What has been seen, and the rest as it is likely to go with that: nothing of the rest is in the text.
    fn completed(&self) -> OneLine {
        let spaced = self
            .colon
            .or(self.comma)
            .is_some_and(|text| text.ends_with(' '));
        let likely = if spaced { (": ", ", ") } else { (":", ",") };
        OneLine {
            colon: self.colon.unwrap_or(likely.0),
            comma: self.comma.unwrap_or(likely.1),
            object: self.object.unwrap_or(""),
            array: self.array.unwrap_or(""),
        }
    }
}

impl<'a> Survey<'a> {
    fn value(&mut self, value: Index, depth: usize) {
        let document = self.document;
        let kind = document.kind(value);
        if kind == Kind::Scalar || document.is_empty(value) {
            return;
        }
        let space = document.opening_space(value);
        let broken = space.contains('\n');
        for (exceptions, rule) in self.exceptions.iter_mut().zip(&RULES) {
            *exceptions += usize::from(rule.breaks(document, value, depth) != broken);
        }
        if broken {
            self.indent = self.indent.or_else(|| indent(space));
        } else {
            self.padding(kind, space);
        }
        let mut last = None;
        for (n, child) in document.children(value).enumerate() {
            if let Some(last) = last {
                let between =
                    &document.whole()[document.span(last).end..document.span(child).start];
                if kind == Kind::Object && n % 2 == 1 {
                    self.colon(broken, between);
                } else if !broken {
                    self.comma(depth == 0 && kind == Kind::Array, between);
                }
            }
            last = Some(child);
            self.value(child, depth + 1);
        }
    }

    fn padding(&mut self, kind: Kind, space: &str) {
        let padding = match kind {
            Kind::Object => &mut self.one_line.object,
            _ => &mut self.one_line.array,
        };
        *padding = padding.or_else(|| one_of(&PADDINGS, space));
    }

    fn colon(&mut self, broken: bool, text: &str) {
        let colon = if broken {
            &mut self.colon
        } else {
            &mut self.one_line.colon
        };
        *colon = colon.or_else(|| one_of(&COLONS, text));
    }

    fn comma(&mut self, outermost: bool, text: &'a str) {
        if outermost && text.contains('\n') {
            self.rows = self.rows.or_else(|| text.strip_prefix(','));
        } else {
            let comma = &mut self.one_line.comma;
            *comma = comma.or_else(|| one_of(&COMMAS, text));
        }
    }
}

fn one_of(known: &[&'static str], text: &str) -> Option<&'static str> {
    known.iter().find(|known| **known == text).copied()
}

/// The indent of a line at the first level, given the white space before it.
fn indent(space: &str) -> Option<Indent> {
    let (_, indent) = space.rsplit_once('\n')?;
    match indent {
        "\t" => Some(Indent::Tab),
        spaces if spaces.len() <= MAX_SPACES => Some(Indent::Spaces(spaces.len())),
        _ => None,
    }
}
