//! A pull reader of JSON that gives byte ranges of the document and builds no values.
//!
//! It follows the grammar of RFC 8259, but takes any digits, signs, points and exponents for a number and any bytes for the content of a
//! string. It nests without recursion. A string's range lies between its quotes, and its text is still escaped.

use std::ops::Range;

use smallvec::SmallVec;

use super::string_end::string_end;

/// The document is not JSON, or not what the reader expected at some place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotInDialect;

/// A position in a document.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What a value begins as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Array,
    Object,
    Scalar,
}

impl<'a> Cursor<'a> {
    /// At the start of `bytes`.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// At `at` in `bytes`.
    pub(crate) const fn at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Its distance from the start in bytes.
    pub(crate) const fn offset(&self) -> usize {
        self.at
    }

    /// The bytes of a span.
    pub(crate) fn slice(&self, span: &Range<usize>) -> &'a [u8] {
        &self.bytes[span.clone()]
    }

    /// What the next value is.
    pub(crate) fn kind(&mut self) -> Result<Kind, NotInDialect> {
        match self.peek().ok_or(NotInDialect)? {
            b'"' => Ok(Kind::String),
            b'[' => Ok(Kind::Array),
            b'{' => Ok(Kind::Object),
            _ => Ok(Kind::Scalar),
        }
    }

    /// Reads a string and gives the span between its quotes.
    pub(crate) fn string(&mut self) -> Result<Range<usize>, NotInDialect> {
        self.expect(b'"')?;
        let start = self.at;
        let end = start + string_end(&self.bytes[start..]).ok_or(NotInDialect)?;
        self.at = end + 1;
        Ok(start..end)
    }

    /// Reads an object; `member` is given each key (escaped, without quotes) and must read the value.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> Result<(), NotInDialect>,
    ) -> Result<(), NotInDialect> {
        self.expect(b'{')?;
        if self.peek() == Some(b'}') {
            return self.expect(b'}');
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            member(self, &self.bytes[key])?;
            if self.ends(b'}')? {
                return Ok(());
            }
        }
    }

    /// Reads an array; `element` must read one value a call.
    pub(crate) fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), NotInDialect>,
    ) -> Result<(), NotInDialect> {
        self.expect(b'[')?;
        if self.peek() == Some(b']') {
            return self.expect(b']');
        }
        loop {
            element(self)?;
            if self.ends(b']')? {
                return Ok(());
            }
        }
    }

    /// Skips one value of any kind and gives its range.
    pub(crate) fn value(&mut self) -> Result<Range<usize>, NotInDialect> {
        self.value_with_keys(|_, _| ())
    }

    /// The same; `on_key` is given each key in the value, and a cursor before that key's own value.
    pub(crate) fn value_with_keys(
        &mut self,
        mut on_key: impl FnMut(&'a [u8], &Self),
    ) -> Result<Range<usize>, NotInDialect> {
        self.peek();
        let start = self.at;
        let mut open: SmallVec<[u8; 64]> = SmallVec::new();
        loop {
            match self.peek().ok_or(NotInDialect)? {
                b'"' => {
                    self.string()?;
                }
                b'{' => {
                    self.at += 1;
                    if self.peek() != Some(b'}') {
                        self.key(&mut on_key)?;
                        open.push(b'}');
                        continue;
                    }
                    self.at += 1;
                }
                b'[' => {
                    self.at += 1;
                    if self.peek() != Some(b']') {
                        open.push(b']');
                        continue;
                    }
                    self.at += 1;
                }
                _ => self.scalar()?,
            }
            if !self.close(&mut open, &mut on_key)? {
                return Ok(start..self.at);
            }
        }
    }

    /// Skips white space to the end of the document.
    pub(crate) fn end(&mut self) -> Result<(), NotInDialect> {
        if self.peek().is_none() {
            Ok(())
        } else {
            Err(NotInDialect)
        }
    }

    /// After a value inside of the brackets `open`: closes those that end here, and says whether another value follows.
    fn close(
        &mut self,
        open: &mut SmallVec<[u8; 64]>,
        on_key: &mut impl FnMut(&'a [u8], &Self),
    ) -> Result<bool, NotInDialect> {
        while let Some(closer) = open.last().copied() {
            if self.ends(closer)? {
                open.pop();
                continue;
            }
            if closer == b'}' {
                self.key(on_key)?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn key(&mut self, on_key: &mut impl FnMut(&'a [u8], &Self)) -> Result<(), NotInDialect> {
        let key = self.string()?;
        self.expect(b':')?;
        on_key(&self.bytes[key], self);
        Ok(())
    }

    /// Reads `,` (false) or `closer` (true).
    fn ends(&mut self, closer: u8) -> Result<bool, NotInDialect> {
        let byte = self.peek().ok_or(NotInDialect)?;
        self.at += 1;
        match byte {
            b',' => Ok(false),
            byte if byte == closer => Ok(true),
            _ => Err(NotInDialect),
        }
    }

    fn scalar(&mut self) -> Result<(), NotInDialect> {
        let rest = &self.bytes[self.at..];
        let inside = |byte: &u8| !matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
        let length = rest.iter().take_while(|byte| inside(byte)).count();
        let word = &rest[..length];
        let number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let good = matches!(word, b"true" | b"false" | b"null")
            || word.iter().all(number) && word.iter().any(u8::is_ascii_digit);
        self.at += length;
        if good { Ok(()) } else { Err(NotInDialect) }
    }

    fn expect(&mut self, byte: u8) -> Result<(), NotInDialect> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(NotInDialect)
    }

    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> bool {
        let mut cursor = Cursor::new(text.as_bytes());
        cursor.value().and_then(|_| cursor.end()).is_ok()
    }

    #[test]
    fn a_value_is_read_to_its_end() {
        for good in [
            "{}",
            "[]",
            " [ ] ",
            "1",
            "-1.5e+7",
            "null",
            "\"a\\\"b\"",
            "{\"a\":[1,{\"b\":{}}],\"a\":\"\\u00e9\"}",
            "[[],[[]],{}]",
            "\"\"",
        ] {
            assert!(reads(good), "{good}");
        }
        for bad in [
            "",
            "{",
            "[",
            "\"",
            "\"\\",
            "\"\\\"",
            "{\"a\"}",
            "{\"a\":}",
            "[1,]",
            "{\"a\":1,}",
            "[1 2]",
            "{1:2}",
            "nul",
            "[1}",
            "{\"a\":1]",
            "1 2",
            "[1]]",
            "{} {}",
            "-",
            "tru e",
        ] {
            assert!(!reads(bad), "{bad}");
        }
    }

    #[test]
    fn deep_nesting_needs_no_stack() {
        let depth = 1_000_000;
        assert!(reads(&format!(
            "{}{}",
            "[".repeat(depth),
            "]".repeat(depth)
        )));
        assert!(!reads(&"[".repeat(depth)));
    }

    #[test]
    fn spans_are_exact() {
        let text = br#" { "k" : [ 1 , "x\"y" ] } "#;
        let mut cursor = Cursor::new(text);
        let mut seen = Vec::new();
        cursor
            .object(|cursor, key| {
                seen.push(key.to_vec());
                cursor.array(|cursor| {
                    let span = cursor.value()?;
                    seen.push(cursor.slice(&span).to_vec());
                    Ok(())
                })
            })
            .unwrap();
        assert_eq!(seen, [b"k".to_vec(), b"1".to_vec(), br#""x\"y""#.to_vec()]);
    }
}
