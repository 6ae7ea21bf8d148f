//! How programs escape what they write into a JSON string.

use std::fmt::Write;

/// A program's way to escape. All write `"`, `\` and control characters alike.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Escapes {
    /// How a form's header goes on after "escaped".
    pub(super) name: &'static str,
    /// Whether everything that is not ASCII is escaped.
    ascii: bool,
    /// What else is written as `\u003c`.
    also: &'static str,
    /// Whether `/` is written as `\/`.
    slash: bool,
}

/// Those of JavaScript, Rust and most others; Python's `json`; Jinja's `tojson` filter; Go's `encoding/json`; PHP's `json_encode`.
const ALL: [Escapes; 5] = [
    Escapes {
        name: "",
        ascii: false,
        also: "",
        slash: false,
    },
    Escapes {
        name: " as Python does",
        ascii: true,
        also: "",
        slash: false,
    },
    Escapes {
        name: " as Jinja does",
        ascii: true,
        also: "<>&'",
        slash: false,
    },
    Escapes {
        name: " as Go does",
        ascii: false,
        also: "<>&\u{2028}\u{2029}",
        slash: false,
    },
    Escapes {
        name: " as PHP does",
        ascii: true,
        also: "",
        slash: true,
    },
];

impl Escapes {
    /// The way in which a string's content is escaped in a JSON text, if it is a known one.
    pub(super) fn of(content: &str, literal: &str) -> Option<&'static Self> {
        Self::of_all(&[content], std::iter::once(literal))
    }

    /// The way in which all of these are escaped.
    pub(super) fn of_all<'a>(
        contents: &[impl AsRef<str>],
        literals: impl Iterator<Item = &'a str> + Clone,
    ) -> Option<&'static Self> {
        ALL.iter().find(|escapes| {
            let mut pairs = contents.iter().zip(literals.clone());
            pairs.all(|(content, literal)| escapes.escape(content.as_ref()) == literal)
        })
    }

    /// The one of this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|escapes| escapes.name == name)
    }

    /// A string's content as it stands between the quotes.
    pub(super) fn escape(&self, content: &str) -> String {
        let mut literal = String::with_capacity(content.len() + content.len() / 8);
        let mut copied = 0;
        for (at, c) in content.char_indices() {
            if self.stays(c) {
                continue;
            }
            literal.push_str(&content[copied..at]);
            copied = at + c.len_utf8();
            self.write(&mut literal, c);
        }
        literal.push_str(&content[copied..]);
        literal
    }

    fn stays(&self, c: char) -> bool {
        match c {
            '"' | '\\' | '\0'..='\x1f' => false,
            '/' => !self.slash,
            _ if c.is_ascii_alphanumeric() => true,
            _ if !c.is_ascii() && self.ascii => false,
            _ => !self.also.contains(c),
        }
    }

    fn write(&self, literal: &mut String, c: char) {
        let short = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\x08' => "\\b",
            '\x0c' => "\\f",
            '/' => "\\/",
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a `String` cannot fail.
                    let _ = write!(literal, "\\u{unit:04x}");
                }
                return;
            }
        };
        literal.push_str(short);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &str = "a\t\"b\" <c> & 'd'/e\\\n\u{1b}[0m é \u{2028}😀";

    #[test]
    fn each_way_is_known_by_what_it_writes() {
        for (literal, name) in [
            (
                "a\\t\\\"b\\\" <c> & 'd'/e\\\\\\n\\u001b[0m é \u{2028}😀",
                "",
            ),
            (
                "a\\t\\\"b\\\" <c> & 'd'/e\\\\\\n\\u001b[0m \\u00e9 \\u2028\\ud83d\\ude00",
                " as Python does",
            ),
            (
                "a\\t\\\"b\\\" \\u003cc\\u003e \\u0026 \\u0027d\\u0027/e\\\\\\n\\u001b[0m \\u00e9 \\u2028\\ud83d\\ude00",
                " as Jinja does",
            ),
            (
                "a\\t\\\"b\\\" \\u003cc\\u003e \\u0026 'd'/e\\\\\\n\\u001b[0m é \\u2028😀",
                " as Go does",
            ),
            (
                "a\\t\\\"b\\\" <c> & 'd'\\/e\\\\\\n\\u001b[0m \\u00e9 \\u2028\\ud83d\\ude00",
                " as PHP does",
            ),
        ] {
            let read: String = serde_json::from_str(&format!("\"{literal}\"")).unwrap();
            assert_eq!(read, CONTENT);
            let found = Escapes::of(CONTENT, literal).unwrap();
            assert_eq!(found.name, name);
            assert_eq!(Escapes::named(name), Some(found));
        }
        assert_eq!(Escapes::of("é", "\\u00E9"), None);
        assert_eq!(Escapes::named(" as nobody does"), None);
    }

    #[test]
    fn most_programs_escape_as_serde_does() {
        let all: String = (0..0x3000).filter_map(char::from_u32).collect();
        let quoted = serde_json::Value::from(all.as_str()).to_string();
        assert_eq!(format!("\"{}\"", ALL[0].escape(&all)), quoted);
    }
}
