//! Parses a JSON text into a list of values in the order of the text.

use std::ops::Range;

/// Deeper texts are refused, so that whoever walks over values may recurse.
pub(super) const MAX_DEPTH: usize = 128;

/// One or several JSON objects or arrays with nothing but white space around them.
#[derive(Debug)]
pub(super) struct Document<'a> {
    text: &'a str,
    values: Vec<Value>,
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

/// The position of a value in its document.
pub(super) type Index = u32;

impl<'a> Document<'a> {
    /// `None` if the text is not JSON, a scalar, too deep, or 4 GiB long.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        u32::try_from(text.len()).ok()?;
        let mut parser = Parser {
            bytes: text.as_bytes(),
            at: 0,
            values: Vec::new(),
            open: Vec::new(),
        };
        parser.space();
        while parser.at < parser.bytes.len() {
            if !matches!(parser.peek()?, b'{' | b'[') {
                return None;
            }
            parser.document()?;
            parser.space();
        }
        let values = parser.values;
        (!values.is_empty()).then_some(Self { text, values })
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

    /// The position of a value in the text.
    pub(super) fn span(&self, of: Index) -> Range<usize> {
        let value = self.values[of as usize];
        value.start as usize..value.end as usize
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

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value>,
    /// The containers around `at`.
    open: Vec<Index>,
}

impl Parser<'_> {
    /// One object or array, without recursion.
    fn document(&mut self) -> Option<()> {
        loop {
            // A value is due here, or the end of a container that has just been opened.
            self.space();
            let done = match self.peek()? {
                byte @ (b'{' | b'[') => {
                    self.open(byte)?;
                    false
                }
                b']' | b'}' => {
                    self.close()?;
                    true
                }
                _ => {
                    self.scalar()?;
                    true
                }
            };
            if done && !self.after_value()? {
                return Some(());
            }
        }
    }

    fn open(&mut self, byte: u8) -> Option<()> {
        if self.open.len() == MAX_DEPTH {
            return None;
        }
        let kind = if byte == b'{' {
            Kind::Object
        } else {
            Kind::Array
        };
        self.open.push(index(self.values.len()));
        self.values.push(Value {
            start: index(self.at),
            end: 0,
            next: 0,
            kind,
        });
        self.at += 1;
        self.space();
        match self.peek()? {
            b'}' | b']' => Some(()),
            _ if kind == Kind::Object => self.key(),
            _ => Some(()),
        }
    }

    /// Closes the innermost container, which must be of the bracket's kind.
    fn close(&mut self) -> Option<()> {
        let opened = self.open.pop()?;
        let last = index(self.values.len());
        let value = &mut self.values[opened as usize];
        let bracket = if value.kind == Kind::Object {
            b'}'
        } else {
            b']'
        };
        if self.bytes[self.at] != bracket {
            return None;
        }
        self.at += 1;
        value.end = index(self.at);
        value.next = last;
        Some(())
    }

    /// Reads on to where the next value is due; `false` if the document is complete.
    fn after_value(&mut self) -> Option<bool> {
        loop {
            let Some(container) = self.open.last() else {
                return Some(false);
            };
            let kind = self.values[*container as usize].kind;
            self.space();
            match self.peek()? {
                b',' => {
                    self.at += 1;
                    self.space();
                    if kind == Kind::Object {
                        self.key()?;
                    }
                    self.space();
                    return (!matches!(self.peek()?, b']' | b'}')).then_some(true);
                }
                b']' | b'}' => self.close()?,
                _ => return None,
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        if self.peek()? != b'"' {
            return None;
        }
        self.scalar()?;
        self.space();
        if self.peek()? != b':' {
            return None;
        }
        self.at += 1;
        self.space();
        (!matches!(self.peek()?, b']' | b'}')).then_some(())
    }

    fn scalar(&mut self) -> Option<()> {
        let start = self.at;
        self.at += scalar_len(&self.bytes[start..])?;
        self.values.push(Value {
            start: index(start),
            end: index(self.at),
            next: index(self.values.len() + 1),
            kind: Kind::Scalar,
        });
        Some(())
    }

    fn space(&mut self) {
        let rest = &self.bytes[self.at..];
        let space = rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += space.count();
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

/// Bytes of the string, number or word that `bytes` begins with.
pub(super) fn scalar_len(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        b'"' => string_len(bytes),
        b'-' | b'0'..=b'9' => number_len(bytes),
        _ => [&b"true"[..], b"false", b"null"]
            .into_iter()
            .find(|word| bytes.starts_with(word))
            .map(<[u8]>::len),
    }
}

fn string_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => match bytes.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                b'u' => {
                    let hex = bytes.get(at + 2..at + 6)?;
                    hex.iter().all(u8::is_ascii_hexdigit).then_some(6)?
                }
                _ => return None,
            },
            0x00..=0x1f => return None,
            _ => 1,
        };
    }
}

fn number_len(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let whole = usize::from(bytes[0] == b'-');
    let count = digits(whole);
    if count == 0 || (count > 1 && bytes[whole] == b'0') {
        return None;
    }
    let mut at = whole + count;
    if bytes.get(at) == Some(&b'.') {
        let count = digits(at + 1);
        at += (count > 0).then_some(1 + count)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let count = digits(at + 1 + sign);
        at += (count > 0).then_some(1 + sign + count)?;
    }
    Some(at)
}
