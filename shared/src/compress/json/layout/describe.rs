//! A layout in the words of a header.
//!
//! ```text
//!  (layout: indented by 2 spaces, else on one line as {"a": [1, 2]}; a line break at the end)
//! ```

use super::survey::MAX_SPACES;
use super::{COLONS, COMMAS, Indent, Layout, OneLine, PADDINGS, Rule};

const BEFORE: &str = " (layout: ";

/// What stands between parts. No part has it within, for only white space and samples are put in.
const NEXT: &str = "; ";

const ON_ONE_LINE: &str = "on one line";
const AS: &str = " as ";
const ROWS: &str = " with ";
const AFTER_COMMAS: &str = " after the outermost commas";
const INDENTED: &str = "indented by ";
const TABS: &str = "tabs";
const SPACES: &str = " spaces";
const MEMBERS: &str = " with members as ";
const ELSE: &str = ", else ";

const IN_OUTERMOST: &str = " in the outermost level";
const IN_HOLDERS: &str = " where it holds objects or arrays";
const IN_OBJECTS: &str = " in objects";

const EXCEPTIONS: &str = "the other way where a space follows the opening bracket here";
const CRLF: &str = "lines end in CRLF";
const AT_START: &str = " at the start";
const BETWEEN: &str = " between values";
const LINE_BREAK: &str = "a line break at the end";
const AT_END: &str = " at the end";

impl Layout {
    /// What a header says of it: nothing where there is no white space.
    pub(in crate::compress::json) fn describe(&self) -> String {
        let mut parts = Vec::new();
        let lines = self.describe_lines();
        if lines != ON_ONE_LINE {
            parts.push(lines);
        }
        if self.exceptions {
            parts.push(EXCEPTIONS.to_owned());
        }
        if self.crlf {
            parts.push(CRLF.to_owned());
        }
        if !self.before.is_empty() {
            parts.push(format!("{}{AT_START}", quoted(&self.before)));
        }
        if self.between != "\n" {
            parts.push(format!("{}{BETWEEN}", quoted(&self.between)));
        }
        match &*self.after {
            "" => {}
            "\n" => parts.push(LINE_BREAK.to_owned()),
            after => parts.push(format!("{}{AT_END}", quoted(after))),
        }
        if parts.is_empty() {
            return String::new();
        }
        format!("{BEFORE}{})", parts.join(NEXT))
    }

    /// The layout that a header ends with, and the rest of the header.
    pub(in crate::compress::json) fn read(header: &str) -> Option<(&str, Self)> {
        let mut layout = Self {
            rule: Rule::None,
            indent: Indent::Spaces(0),
            colon: ": ",
            one_line: OneLine::WITHOUT_SPACES,
            exceptions: false,
            crlf: false,
            before: String::new(),
            between: "\n".to_owned(),
            after: String::new(),
        };
        let Some((rest, described)) = header
            .strip_suffix(')')
            .and_then(|header| header.rsplit_once(BEFORE))
        else {
            return Some((header, layout));
        };
        for part in described.split(NEXT) {
            layout.read_part(part)?;
        }
        Some((rest, layout))
    }

    fn read_part(&mut self, part: &str) -> Option<()> {
        match part {
            EXCEPTIONS => self.exceptions = true,
            CRLF => self.crlf = true,
            LINE_BREAK => "\n".clone_into(&mut self.after),
            _ => {
                if let Some(space) = part.strip_suffix(AT_START) {
                    self.before = unquoted(space)?;
                } else if let Some(space) = part.strip_suffix(BETWEEN) {
                    self.between = unquoted(space)?;
                } else if let Some(space) = part.strip_suffix(AT_END) {
                    self.after = unquoted(space)?;
                } else {
                    self.read_lines(part)?;
                }
            }
        }
        Some(())
    }

    /// What is on lines of its own, and what is not.
    fn describe_lines(&self) -> String {
        let one_line = match self.one_line {
            OneLine::WITHOUT_SPACES => ON_ONE_LINE.to_owned(),
            style => format!("{ON_ONE_LINE}{AS}{}", style.sample()),
        };
        let members = match self.colon {
            ": " => String::new(),
            colon => format!("{MEMBERS}{}", member(colon)),
        };
        let indented = format!("{INDENTED}{}{members}", self.indent.describe());
        let (mut text, other) = match &self.rule {
            Rule::None => (one_line, self.exceptions.then_some(indented)),
            Rule::Rows(space) => (
                format!("{one_line}{ROWS}{}{AFTER_COMMAS}", quoted(space)),
                self.exceptions.then_some(indented),
            ),
            rule => {
                let has_others = *rule != Rule::All || self.exceptions;
                let text = format!("{indented}{}", rule.describe());
                (text, has_others.then_some(one_line))
            }
        };
        if let Some(other) = other {
            text.push_str(ELSE);
            text.push_str(&other);
        }
        text
    }

    fn read_lines(&mut self, part: &str) -> Option<()> {
        let (first, other) = match part.split_once(ELSE) {
            Some((first, other)) => (first, Some(other)),
            None => (part, None),
        };
        let (one_line, indented) = if first.starts_with(ON_ONE_LINE) {
            (Some(first), other)
        } else {
            (other, Some(first))
        };
        if let Some(indented) = indented {
            let rest = self.read_indented(indented)?;
            if one_line == other {
                self.rule = Rule::read(rest)?;
            } else if !rest.is_empty() {
                return None;
            }
        }
        match self.read_one_line(one_line.unwrap_or(ON_ONE_LINE))? {
            "" => {}
            rows => {
                let space = rows.strip_prefix(ROWS)?.strip_suffix(AFTER_COMMAS)?;
                self.rule = Rule::Rows(unquoted(space)?);
            }
        }
        Some(())
    }

    /// Returns what is left.
    fn read_indented<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let (indent, rest) = Indent::read(text.strip_prefix(INDENTED)?)?;
        self.indent = indent;
        let Some(members) = rest.strip_prefix(MEMBERS) else {
            return Some(rest);
        };
        let (colon, rest) = COLONS
            .into_iter()
            .find_map(|colon| Some((colon, members.strip_prefix(&member(colon))?)))?;
        self.colon = colon;
        Some(rest)
    }

    /// Returns what is left.
    fn read_one_line<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let rest = text.strip_prefix(ON_ONE_LINE)?;
        let Some(sample) = rest.strip_prefix(AS) else {
            return Some(rest);
        };
        let (style, rest) = OneLine::all()
            .find_map(|style| Some((style, sample.strip_prefix(&style.sample())?)))?;
        self.one_line = style;
        Some(rest)
    }
}

impl Rule {
    /// What is broken into lines, where it is not all or nothing.
    fn describe(&self) -> String {
        match self {
            Self::None | Self::All | Self::Rows(_) => String::new(),
            Self::Outermost(1) => IN_OUTERMOST.to_owned(),
            Self::Outermost(levels) => format!("{IN_OUTERMOST}s: {levels}"),
            Self::Holders => IN_HOLDERS.to_owned(),
            Self::Objects => IN_OBJECTS.to_owned(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "" => Self::All,
            IN_HOLDERS => Self::Holders,
            IN_OBJECTS => Self::Objects,
            IN_OUTERMOST => Self::Outermost(1),
            _ => Self::Outermost(
                text.strip_prefix(IN_OUTERMOST)?
                    .strip_prefix("s: ")?
                    .parse()
                    .ok()?,
            ),
        })
    }
}

impl Indent {
    fn describe(self) -> String {
        match self {
            Self::Tab => TABS.to_owned(),
            Self::Spaces(spaces) => format!("{spaces}{SPACES}"),
        }
    }

    /// The indent that a text begins with, and the rest.
    fn read(text: &str) -> Option<(Self, &str)> {
        if let Some(rest) = text.strip_prefix(TABS) {
            return Some((Self::Tab, rest));
        }
        let (spaces, rest) = text.split_once(SPACES)?;
        let spaces = spaces.parse().ok().filter(|n| *n <= MAX_SPACES)?;
        Some((Self::Spaces(spaces), rest))
    }
}

impl OneLine {
    fn sample(self) -> String {
        let Self {
            colon,
            comma,
            object,
            array,
        } = self;
        format!("{{{object}\"a\"{colon}[{array}1{comma}2{array}]{object}}}")
    }

    /// All that can be described.
    fn all() -> impl Iterator<Item = Self> {
        COLONS.into_iter().flat_map(|colon| {
            COMMAS.into_iter().flat_map(move |comma| {
                PADDINGS.into_iter().flat_map(move |object| {
                    PADDINGS.into_iter().map(move |array| Self {
                        colon,
                        comma,
                        object,
                        array,
                    })
                })
            })
        })
    }
}

fn member(colon: &str) -> String {
    format!("\"a\"{colon}1")
}

fn quoted(space: &str) -> String {
    serde_json::Value::from(space).to_string()
}

fn unquoted(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}
