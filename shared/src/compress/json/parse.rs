//! Parses a JSON text into a list of values in the order of the text. `serde_json` checks that it is JSON; this module finds the values.

use std::cell::OnceCell;
use std::ops::Range;

use memchr::memchr2;
use serde::de::IgnoredAny;
use serde_json::Deserializer;

/// Deeper texts are refused, so that whoever walks over values may recurse.
pub(super) const MAX_DEPTH: usize = 128;

/// One or several JSON objects or arrays with nothing but white space around them.
#[derive(Debug)]
pub(in crate::compress) struct Document<'a> {
    text: &'a str,
    values: Vec<Value>,
}

/// A text that is parsed when that is asked for, and once.
#[derive(Debug)]
pub(in crate::compress) struct LazyDocument<'a> {
    /// All of it.
    pub(in crate::compress) text: &'a str,
    parsed: OnceCell<Option<Document<'a>>>,
}

impl<'a> LazyDocument<'a> {
    pub(in crate::compress) const fn new(text: &'a str) -> Self {
        Self {
            text,
            parsed: OnceCell::new(),
        }
    }

    /// The document that it is: see [`Document::parse`].
    pub(in crate::compress) fn get(&self) -> Option<&Document<'a>> {
        let parse = || Document::parse(self.text);
        self.parsed.get_or_init(parse).as_ref()
    }
}

/// A value, or a key of an object: keys and their values take turns.
#[derive(Debug, Clone, Copy)]
struct Value {
    start: u32,
    end: u32,
    /// The first value after this one and all that is within it.
    next: u32,
    kind: Kind,
}

/// What a value is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    /// A string, number, or word.
    Scalar,
}

impl Kind {
    /// The brackets of an object or array.
    pub(super) const fn brackets(self) -> Option<(char, char)> {
        match self {
            Self::Object => Some(('{', '}')),
            Self::Array => Some(('[', ']')),
            Self::Scalar => None,
        }
    }
}

/// The position of a value in its document.
pub(super) type Index = u32;

impl<'a> Document<'a> {
    /// `None` if the text is not JSON, a scalar, too deep, or 4 GiB long.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        u32::try_from(text.len()).ok()?;
        let mut parsed = Deserializer::from_str(text).into_iter::<IgnoredAny>();
        if !parsed.all(|value| value.is_ok()) {
            return None;
        }
        Self::of_json(text)
    }

    /// The same for a text that is known to be JSON.
    pub(super) fn of_json(text: &'a str) -> Option<Self> {
        let values = values(text.as_bytes()).filter(|values| !values.is_empty());
        values.map(|values| Self { text, values })
    }

    /// All of the text.
    pub(super) fn whole(&self) -> &'a str {
        self.text
    }

    /// Whether it is one value and not several.
    pub(super) fn is_one(&self) -> bool {
        self.values[0].next as usize == self.values.len()
    }

    /// The values that are in no other.
    pub(super) fn top(&self) -> impl Iterator<Item = Index> {
        self.siblings(0, index(self.values.len()))
    }

    /// What is directly within a value: elements, or keys and values by turns.
    pub(super) fn children(&self, of: Index) -> impl Iterator<Item = Index> {
        self.siblings(of + 1, self.values[of as usize].next)
    }

    /// The keys and values of an object.
    pub(super) fn members(&self, of: Index) -> impl Iterator<Item = (Index, Index)> {
        let mut children = self.children(of);
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    pub(super) fn kind(&self, of: Index) -> Kind {
        self.values[of as usize].kind
    }

    /// The text of a value.
    pub(super) fn text(&self, of: Index) -> &'a str {
        &self.text[self.span(of)]
    }

    /// Whether nothing is within an object or array.
    pub(super) fn is_empty(&self, of: Index) -> bool {
        self.values[of as usize].next == of + 1
    }

    /// The white space after the opening bracket of an object or array.
    pub(super) fn opening_space(&self, of: Index) -> &'a str {
        let start = self.span(of).start + 1;
        let end = if self.is_empty(of) {
            self.span(of).end - 1
        } else {
            self.span(of + 1).start
        };
        &self.text[start..end]
    }

    /// The position of a value in the text.
    pub(super) fn span(&self, of: Index) -> Range<usize> {
        let value = self.values[of as usize];
        value.start as usize..value.end as usize
    }

    /// The positions of all strings, keys among them.
    pub(super) fn strings(&self) -> impl Iterator<Item = Range<usize>> {
        let scalars = (0..index(self.values.len())).filter(|at| self.kind(*at) == Kind::Scalar);
        let spans = scalars.map(|at| self.span(at));
        spans.filter(|span| self.text.as_bytes()[span.start] == b'"')
    }

    fn siblings(&self, first: Index, end: Index) -> impl Iterator<Item = Index> {
        let next = move |at: Index| (at < end).then_some(at);
        std::iter::successors(next(first), move |at| next(self.values[*at as usize].next))
    }
}

/// Lengths are checked to fit at the start, and there is at most one value a byte.
#[expect(clippy::cast_possible_truncation, reason = "checked once, in parse")]
fn index(at: usize) -> u32 {
    at as u32
}

/// The values of a text that is JSON. `None` for a scalar that is in no other value, and for more than [`MAX_DEPTH`] levels; what it gives
/// for a text that is no JSON means nothing.
fn values(text: &[u8]) -> Option<Vec<Value>> {
    let mut values: Vec<Value> = Vec::new();
    // The objects and arrays around `at`.
    let mut open: Vec<Index> = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let kind = match byte {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'}' | b']' => {
                at += 1;
                let next = index(values.len());
                let closed = &mut values[open.pop()? as usize];
                (closed.end, closed.next) = (index(at), next);
                continue;
            }
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            _ => Kind::Scalar,
        };
        let (place, start) = (index(values.len()), index(at));
        if kind == Kind::Scalar {
            at += scalar_len(&text[at..]).filter(|_| !open.is_empty())?;
        } else {
            at += 1;
            open.push(place);
            if open.len() > MAX_DEPTH {
                return None;
            }
        }
        // Of an object or array, the end is set where it is closed.
        values.push(Value {
            start,
            end: index(at),
            next: place + 1,
            kind,
        });
    }
    open.is_empty().then_some(values)
}

/// Bytes of the string, number or word that `text` begins with; whether it is a good one is not checked.
pub(super) fn scalar_len(text: &[u8]) -> Option<usize> {
    let len = if text.first() == Some(&b'"') {
        string_len(text)?
    } else {
        let ends = |byte: &u8| b",:=[]{} \t\n\r\"".contains(byte);
        text.iter().position(ends).unwrap_or(text.len())
    };
    (len > 0).then_some(len)
}

fn string_len(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}
