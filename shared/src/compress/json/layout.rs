//! The layouts that tools give to JSON: on one line, with or without spaces, or every member on a line of its own, indented by its
//! depth. Where a text has one of them, its white space can be put back to the letter, and a model that is to edit the file knows what
//! it looks like.

use super::parse::{Document, Index, Kind};

/// No tool indents further.
const MAX_SPACES: usize = 8;

/// More than any form of ours expands to: stops a damaged one.
const MAX_BYTES: usize = 1 << 30;

const BEFORE: &str = " (it was ";
const SPACED: &str = "written with a space after each comma and colon";
const INDENTED: &str = "indented by ";
const TABS: &str = "tabs";
const LINE_BREAK: &str = " with a line break at the end";

/// How a text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    style: Style,
    /// Whether a line break ends the text.
    line_break: bool,
}

/// How a value is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Without white space.
    Compact,
    /// On one line, with a space after each comma and colon.
    Spaced,
    /// Every element and member on a line of its own, with so many spaces for each level; none means a tab.
    Indented(usize),
}

impl Layout {
    /// The layout of a document, if it gives its text back to the letter.
    pub(super) fn of(document: &Document<'_>) -> Option<Self> {
        let text = document.whole();
        let layout = |style| Self {
            style,
            line_break: text.ends_with('\n'),
        };
        let fits = |layout: &Self| layout.write(document, text.len()).as_deref() == Some(text);
        let second = text.strip_prefix(['{', '['])?.strip_prefix('\n');
        if let Some(second) = second {
            let spaces = second.len() - second.trim_start_matches(' ').len();
            let indented = layout(Style::Indented(spaces));
            return (spaces <= MAX_SPACES && fits(&indented)).then_some(indented);
        }
        [Style::Compact, Style::Spaced]
            .map(layout)
            .into_iter()
            .find(fits)
    }

    /// What a header says of it: nothing where there is no white space.
    pub(super) fn describe(self) -> String {
        let style = match self.style {
            Style::Compact => String::new(),
            Style::Spaced => SPACED.to_owned(),
            Style::Indented(0) => format!("{INDENTED}{TABS}"),
            Style::Indented(spaces) => format!("{INDENTED}{spaces} spaces"),
        };
        let end = if self.line_break { LINE_BREAK } else { "" };
        if style.is_empty() && end.is_empty() {
            return style;
        }
        format!("{BEFORE}{style}{end})")
    }

    /// The layout that a header ends with, and the rest of the header.
    pub(super) fn read(header: &str) -> Option<(&str, Self)> {
        let Some((rest, described)) = header
            .strip_suffix(')')
            .and_then(|header| header.rsplit_once(BEFORE))
        else {
            let style = Style::Compact;
            return Some((
                header,
                Self {
                    style,
                    line_break: false,
                },
            ));
        };
        let (style, line_break) = match described.strip_suffix(LINE_BREAK) {
            Some(style) => (style, true),
            None => (described, false),
        };
        let style = match style {
            "" => Style::Compact,
            SPACED => Style::Spaced,
            indented => Style::Indented(read_indent(indented)?),
        };
        Some((rest, Self { style, line_break }))
    }

    /// JSON without white space, laid out.
    pub(super) fn apply(self, minified: &str) -> Option<String> {
        self.write(&Document::parse(minified)?, MAX_BYTES)
    }

    /// `None` if it would take more than `limit` bytes.
    fn write(self, document: &Document<'_>, limit: usize) -> Option<String> {
        let mut writer = Writer {
            document,
            style: self.style,
            limit,
            text: String::new(),
        };
        for (n, value) in document.top().enumerate() {
            if n > 0 {
                writer.text.push('\n');
            }
            writer.value(value, 0)?;
        }
        if self.line_break {
            writer.text.push('\n');
        }
        Some(writer.text)
    }
}

fn read_indent(described: &str) -> Option<usize> {
    let indent = described.strip_prefix(INDENTED)?;
    match indent.strip_suffix(" spaces") {
        Some(spaces) => spaces.parse().ok().filter(|n| (1..=MAX_SPACES).contains(n)),
        None => (indent == TABS).then_some(0),
    }
}

struct Writer<'a> {
    document: &'a Document<'a>,
    style: Style,
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
                self.colon();
            } else {
                self.next(empty, depth + 1);
            }
            empty = false;
            is_key = after_key;
            self.value(child, depth + 1)?;
        }
        if !empty && let Style::Indented(spaces) = self.style {
            self.line(spaces, depth);
        }
        self.text.push(close);
        (self.text.len() <= self.limit).then_some(())
    }

    fn colon(&mut self) {
        self.text.push_str(match self.style {
            Style::Compact => ":",
            Style::Spaced | Style::Indented(_) => ": ",
        });
    }

    /// The white space before an element or member.
    fn next(&mut self, is_first: bool, depth: usize) {
        if !is_first {
            self.text.push(',');
        }
        match self.style {
            Style::Spaced if !is_first => self.text.push(' '),
            Style::Compact | Style::Spaced => {}
            Style::Indented(spaces) => self.line(spaces, depth),
        }
    }

    fn line(&mut self, spaces: usize, depth: usize) {
        self.text.push('\n');
        let (indent, count) = match spaces {
            0 => ("\t", depth),
            spaces => (" ", spaces * depth),
        };
        self.text.extend(std::iter::repeat_n(indent, count));
    }
}
