//! The layout that most tools give to JSON: every member on a line of its own, indented by its depth. Where a text has it, its white
//! space can be put back to the letter, and a model that is to edit the file knows what it looks like.

use super::parse::{Document, Index, Kind};

/// No tool indents further.
const MAX_SPACES: usize = 8;

/// More than any form of ours expands to: stops a damaged one.
const MAX_BYTES: usize = 1 << 30;

const BEFORE: &str = " (it was indented by ";
const TABS: &str = "tabs";
const LINE_BREAK: &str = ", with a line break at the end";

/// How a text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Spaces for each level; none stands for a tab.
    spaces: usize,
    /// Whether a line break ends the text.
    line_break: bool,
}

impl Layout {
    /// The layout of a document, if it gives its text back to the letter.
    pub(super) fn of(document: &Document<'_>) -> Option<Self> {
        let text = document.whole();
        let second = text.strip_prefix(['{', '['])?.strip_prefix('\n')?;
        let spaces = second.len() - second.trim_start_matches(' ').len();
        let layout = Self {
            spaces,
            line_break: text.ends_with('\n'),
        };
        let fits = spaces <= MAX_SPACES && layout.write(document, text.len())? == text;
        fits.then_some(layout)
    }

    /// What a header says of it.
    pub(super) fn describe(self) -> String {
        let indent = match self.spaces {
            0 => TABS.to_owned(),
            spaces => format!("{spaces} spaces"),
        };
        let end = if self.line_break { LINE_BREAK } else { "" };
        format!("{BEFORE}{indent}{end})")
    }

    /// The layout that a header ends with, and the rest of the header.
    pub(super) fn read(header: &str) -> Option<(&str, Self)> {
        let (rest, described) = header.strip_suffix(')')?.rsplit_once(BEFORE)?;
        let (indent, line_break) = match described.strip_suffix(LINE_BREAK) {
            Some(indent) => (indent, true),
            None => (described, false),
        };
        let spaces = match indent.strip_suffix(" spaces") {
            Some(spaces) => spaces.parse().ok().filter(|n| *n <= MAX_SPACES)?,
            None => (indent == TABS).then_some(0)?,
        };
        Some((rest, Self { spaces, line_break }))
    }

    /// JSON without white space, laid out.
    pub(super) fn apply(self, minified: &str) -> Option<String> {
        self.write(&Document::parse(minified)?, MAX_BYTES)
    }

    /// `None` if it would take more than `limit` bytes.
    fn write(self, document: &Document<'_>, limit: usize) -> Option<String> {
        let mut writer = Writer {
            document,
            layout: self,
            limit,
            text: String::new(),
        };
        for value in document.top() {
            writer.value(value, 0)?;
        }
        if self.line_break {
            writer.text.push('\n');
        }
        Some(writer.text)
    }
}

struct Writer<'a> {
    document: &'a Document<'a>,
    layout: Layout,
    limit: usize,
    text: String,
}

impl Writer<'_> {
    fn value(&mut self, value: Index, depth: usize) -> Option<()> {
        let document = self.document;
        let (open, close) = match document.kind(value) {
            Kind::Scalar => {
                self.text.push_str(document.text(value));
                return (self.text.len() <= self.limit).then_some(());
            }
            Kind::Object => ('{', '}'),
            Kind::Array => ('[', ']'),
        };
        self.text.push(open);
        let mut empty = true;
        let mut is_key = open == '{';
        for child in document.children(value) {
            let after_key = open == '{' && !is_key;
            if after_key {
                self.text.push_str(": ");
            } else {
                if !empty {
                    self.text.push(',');
                }
                self.line(depth + 1);
            }
            empty = false;
            is_key = after_key;
            self.value(child, depth + 1)?;
        }
        if !empty {
            self.line(depth);
        }
        self.text.push(close);
        (self.text.len() <= self.limit).then_some(())
    }

    fn line(&mut self, depth: usize) {
        self.text.push('\n');
        let (indent, count) = match self.layout.spaces {
            0 => ("\t", depth),
            spaces => (" ", spaces * depth),
        };
        self.text.extend(std::iter::repeat_n(indent, count));
    }
}
