//! Writes JSON without its layout, and in one.

use super::{Indent, Layout, Rule};
use crate::compress::json::parse::{Document, Index, Kind};

/// A document without white space but for the spaces that mark what is not as the rule has it, its values on lines of their own.
pub(super) fn minified(document: &Document<'_>, rule: &Rule) -> String {
    let mut minifier = Minifier {
        document,
        rule,
        text: String::with_capacity(document.whole().len()),
    };
    for (n, value) in document.top().enumerate() {
        if n > 0 {
            minifier.text.push('\n');
        }
        minifier.value(value, 0);
    }
    minifier.text
}

struct Minifier<'a> {
    document: &'a Document<'a>,
    rule: &'a Rule,
    text: String,
}

impl Minifier<'_> {
    fn value(&mut self, value: Index, depth: usize) {
        let document = self.document;
        let Some((open, close)) = document.kind(value).brackets() else {
            return self.text.push_str(document.text(value));
        };
        self.text.push(open);
        // An empty one is never broken into lines.
        let ruled = !document.is_empty(value) && self.rule.breaks(document, value, depth);
        let broken = document.opening_space(value).contains('\n');
        let padded = document.is_empty(value) && !document.opening_space(value).is_empty();
        if ruled != broken || padded {
            self.text.push(' ');
        }
        for (n, child) in document.children(value).enumerate() {
            match n {
                0 => {}
                n if open == '{' && n % 2 == 1 => self.text.push(':'),
                _ => self.text.push(','),
            }
            self.value(child, depth + 1);
        }
        self.text.push(close);
    }
}

/// A minified document in a layout. `None` if it would take more than `limit` bytes.
pub(super) fn laid_out(document: &Document<'_>, layout: &Layout, limit: usize) -> Option<String> {
    let mut writer = Writer {
        document,
        layout,
        limit,
        text: String::with_capacity(limit.min(2 * document.whole().len())),
    };
    writer.text.push_str(&layout.before);
    for (n, value) in document.top().enumerate() {
        if n > 0 {
            writer.text.push_str(&layout.between);
        }
        writer.value(value, 0, 0)?;
    }
    writer.text.push_str(&layout.after);
    Some(writer.text)
}

struct Writer<'a> {
    document: &'a Document<'a>,
    layout: &'a Layout,
    limit: usize,
    text: String,
}

impl Writer<'_> {
    /// Writes a value that is in `depth` others, `level` of which are broken into lines.
    fn value(&mut self, value: Index, depth: usize, level: usize) -> Option<()> {
        let (document, layout) = (self.document, self.layout);
        let kind = document.kind(value);
        let Some((open, close)) = kind.brackets().filter(|_| !document.is_empty(value)) else {
            self.text.push_str(document.text(value));
            return self.is_within_limit();
        };
        let is_exception = !document.opening_space(value).is_empty();
        let broken = layout.rule.breaks(document, value, depth) != is_exception;
        let inner = level + usize::from(broken);
        let one_line = layout.one_line;
        self.text.push(open);
        for (n, child) in document.children(value).enumerate() {
            match n {
                n if kind == Kind::Object && n % 2 == 1 => {
                    let colon = if broken { layout.colon } else { one_line.colon };
                    self.text.push_str(colon);
                }
                0 if broken => self.line(inner),
                0 => self.text.push_str(one_line.padding(kind)),
                _ => match &layout.rule {
                    Rule::Rows(space) if depth == 0 && kind == Kind::Array && !broken => {
                        self.text.push(',');
                        self.text.push_str(space);
                    }
                    _ if broken => {
                        self.text.push(',');
                        self.line(inner);
                    }
                    _ => self.text.push_str(one_line.comma),
                },
            }
            self.value(child, depth + 1, inner)?;
        }
        if broken {
            self.line(level);
        } else {
            self.text.push_str(one_line.padding(kind));
        }
        self.text.push(close);
        self.is_within_limit()
    }

    fn is_within_limit(&self) -> Option<()> {
        (self.text.len() <= self.limit).then_some(())
    }

    /// Begins a line.
    fn line(&mut self, level: usize) {
        self.text.push('\n');
        let (indent, count) = match self.layout.indent {
            Indent::Spaces(spaces) => (" ", spaces * level),
            Indent::Tab => ("\t", level),
        };
        self.text.extend(std::iter::repeat_n(indent, count));
    }
}
