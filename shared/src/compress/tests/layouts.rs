//! JSON documents as programs and people write them.

use proptest::prelude::*;
use proptest::sample::select;

/// A JSON value whose scalars are in the letters they are written in.
#[derive(Debug, Clone)]
pub(in crate::compress) enum Tree {
    Scalar(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

/// How a printer writes.
#[derive(Debug, Clone, Copy)]
pub(in crate::compress) enum Printer {
    /// On one line: what stands after commas and colons.
    OneLine(&'static str, &'static str),
    /// Python's `indent`, Go's `MarshalIndent`, `JSON.stringify`, jq: an indent, and what stands after colons.
    Indented(&'static str, &'static str),
    /// prettier: arrays and, where the last is set, objects of scalars on one line where they fit.
    Prettier(&'static str, usize, bool),
    /// Jackson: spaces around colons and within brackets, arrays on one line.
    Jackson,
    /// Each element of the outermost array on a line, with this before it and what stands after colons.
    Rows(&'static str, &'static str),
    /// `sqlite3 -json`, and `json_agg` of `PostgreSQL`: this after the outermost commas.
    RowsByCommas(&'static str),
}

pub(in crate::compress) fn printer() -> impl Strategy<Value = Printer> {
    let indent = || select(vec!["", " ", "  ", "    ", "\t"]);
    let space = || select(vec!["", " "]);
    let width = select(vec![40_usize, 80, 120]);
    prop_oneof![
        (space(), space()).prop_map(|(comma, colon)| Printer::OneLine(comma, colon)),
        (indent(), space()).prop_map(|(indent, colon)| Printer::Indented(indent, colon)),
        (indent(), width, any::<bool>())
            .prop_map(|(i, w, objects)| Printer::Prettier(i, w, objects)),
        Just(Printer::Jackson),
        (indent(), space()).prop_map(|(indent, colon)| Printer::Rows(indent, colon)),
        select(vec!["\n", " \n ", "\n\t"]).prop_map(Printer::RowsByCommas),
    ]
}

impl Printer {
    pub(in crate::compress) fn print(self, tree: &Tree) -> String {
        let mut text = String::new();
        self.value(tree, 0, 0, &mut text);
        text
    }

    /// Whether an object or array whose bracket stands in this column is broken into lines.
    fn breaks(self, tree: &Tree, depth: usize, column: usize) -> bool {
        match self {
            Self::OneLine(..) | Self::RowsByCommas(_) => false,
            Self::Indented(..) => true,
            Self::Prettier(_, width, objects) => {
                let may_fit = objects || matches!(tree, Tree::Array(_));
                !may_fit || tree.holds_others() || column + self.one_line(tree).len() > width
            }
            Self::Jackson => matches!(tree, Tree::Object(_)),
            Self::Rows(..) => depth == 0,
        }
    }

    fn one_line(self, tree: &Tree) -> String {
        match self {
            Self::Prettier(..) => Self::OneLine(" ", " ").print(tree),
            _ => self.print(tree),
        }
    }

    fn value(self, tree: &Tree, depth: usize, level: usize, text: &mut String) {
        let (open, close, len) = match tree {
            Tree::Scalar(scalar) => return text.push_str(scalar),
            Tree::Array(elements) => ('[', ']', elements.len()),
            Tree::Object(members) => ('{', '}', members.len()),
        };
        let pad = match self {
            Self::Jackson => " ",
            Self::Prettier(..) if open == '{' && len > 0 => " ",
            _ => "",
        };
        text.push(open);
        if len == 0 {
            text.push_str(pad);
            return text.push(close);
        }
        let column = text.len() - text.rfind('\n').map_or(0, |at| at + 1);
        let broken = self.breaks(tree, depth, column);
        let inner = level + usize::from(broken);
        let line = |text: &mut String, level: usize| {
            text.push('\n');
            text.push_str(&self.indent().repeat(level));
        };
        for n in 0..len {
            match (n, self) {
                (0, _) if broken => line(text, inner),
                (0, _) => text.push_str(pad),
                (_, Self::RowsByCommas(space)) if depth == 0 && open == '[' => {
                    text.push(',');
                    text.push_str(space);
                }
                _ if broken => {
                    text.push(',');
                    line(text, inner);
                }
                _ => {
                    text.push(',');
                    text.push_str(self.after_comma());
                }
            }
            match tree {
                Tree::Array(elements) => self.value(&elements[n], depth + 1, inner, text),
                Tree::Object(members) => {
                    let (key, value) = &members[n];
                    text.push_str(key);
                    text.push_str(self.colon(broken));
                    self.value(value, depth + 1, inner, text);
                }
                Tree::Scalar(_) => {}
            }
        }
        if broken {
            line(text, level);
        } else {
            text.push_str(pad);
        }
        text.push(close);
    }

    fn indent(self) -> &'static str {
        match self {
            Self::Indented(indent, _) | Self::Prettier(indent, ..) | Self::Rows(indent, _) => {
                indent
            }
            _ => "  ",
        }
    }

    fn after_comma(self) -> &'static str {
        match self {
            Self::OneLine(space, _) => space,
            Self::Prettier(..) | Self::Jackson => " ",
            _ => "",
        }
    }

    fn colon(self, broken: bool) -> &'static str {
        match self {
            Self::OneLine(_, "") | Self::Indented(_, "") | Self::RowsByCommas(_) => ":",
            Self::Rows(_, "") if !broken => ":",
            Self::Jackson => " : ",
            _ => ": ",
        }
    }
}

impl Tree {
    fn holds_others(&self) -> bool {
        let is_other = |tree: &Tree| !matches!(tree, Self::Scalar(_));
        match self {
            Self::Scalar(_) => false,
            Self::Array(elements) => elements.iter().any(is_other),
            Self::Object(members) => members.iter().any(|(_, value)| is_other(value)),
        }
    }

    fn is_container(&self) -> bool {
        !matches!(self, Self::Scalar(_))
    }
}

/// An object or array, often of like rows.
pub(in crate::compress) fn tree() -> impl Strategy<Value = Tree> {
    let key = || {
        select(vec![
            r#""id""#,
            r#""full name""#,
            r#""tags""#,
            r#""\u0061""#,
            r#""""#,
        ])
    };
    let scalar = super::generators::scalar().prop_map(Tree::Scalar);
    let value = scalar.prop_recursive(4, 60, 6, move |value| {
        let keys = [r#""first key""#, r#""second key""#, r#""third key""#];
        let row = prop::collection::vec(prop::option::weighted(0.9, value.clone()), 3);
        let row = row.prop_map(move |values| {
            let members = keys.iter().zip(values);
            let members = members.filter_map(|(key, value)| Some(((*key).to_owned(), value?)));
            Tree::Object(members.collect())
        });
        let object = prop::collection::vec((key().prop_map(str::to_owned), value.clone()), 0..5);
        prop_oneof![
            prop::collection::vec(value, 0..6).prop_map(Tree::Array),
            object.prop_map(Tree::Object),
            prop::collection::vec(row, 2..8).prop_map(Tree::Array),
        ]
    });
    value.prop_filter("no scalar", Tree::is_container)
}

/// What tools and editors do to a document: its ends, and the ends of its lines.
pub(in crate::compress) fn framed(text: &str, ends: (&str, &str), crlf: bool) -> String {
    let text = format!("{}{text}{}", ends.0, ends.1);
    if crlf {
        text.replace('\n', "\r\n")
    } else {
        text
    }
}

/// What stands before and after a document.
pub(in crate::compress) fn ends() -> impl Strategy<Value = (&'static str, &'static str)> {
    let before =
        prop_oneof![6 => Just(""), 1 => select(vec!["\u{feff}", " ", "\n", "\u{feff}\n\n"])];
    let after = select(vec!["", "\n", "\n", "\n\n", " ", "  \n\t"]);
    (before, after)
}

/// A document with empty lines among its lines: after those that these numbers hit.
pub(in crate::compress) fn with_empty_lines(text: &str, hits: &[usize]) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut spaced = String::new();
    for (n, line) in lines.iter().enumerate() {
        if n > 0 {
            spaced.push('\n');
            spaced.extend(
                hits.iter()
                    .filter(|hit| **hit % lines.len() == n)
                    .map(|_| '\n'),
            );
        }
        spaced.push_str(line);
    }
    spaced
}

/// A document that someone has edited by hand: white space put in, or left out, where JSON allows it.
pub(in crate::compress) fn edited(text: &str, edits: &[(usize, &str)]) -> String {
    let mut edited = String::new();
    let (mut in_string, mut escaped) = (false, false);
    for (n, c) in text.chars().enumerate() {
        let edit = edits.iter().find(|(at, _)| at % text.len() == n);
        match edit {
            Some((_, space)) if !in_string && "{}[]:,".contains(c) => {
                edited.push(c);
                edited.push_str(space);
            }
            Some((_, "")) if !in_string && c.is_whitespace() => {}
            _ => edited.push(c),
        }
        in_string ^= c == '"' && !escaped;
        escaped = in_string && c == '\\' && !escaped;
    }
    edited
}
