//! A text that goes into a payload still escaped, as it was in the request.

use memchr::memmem;
use serde::Serialize;
use serde_json::value::RawValue;

/// A JSON string that a worker can surely read, as it is in a document. One that it can't would cost its whole job.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct EscapedText<'a>(&'a RawValue);

impl<'a> EscapedText<'a> {
    /// The string that these bytes are, from quote to quote; `None` where they are none. A lone surrogate makes it one that
    /// can't be read as Unicode.
    #[must_use]
    pub fn new(quoted: &'a [u8]) -> Option<Self> {
        // This looks at everything but the pairs of surrogates, and copies nothing.
        let raw: &RawValue = serde_json::from_slice(quoted).ok()?;
        let text = raw.get().as_bytes();
        let is_surrogate = |at: usize| matches!(text.get(at + 2), Some(b'd' | b'D'));
        let has_surrogates = memmem::find_iter(text, br"\u").any(is_surrogate);
        let is_read = text.starts_with(b"\"")
            && (!has_surrogates || serde_json::from_slice::<String>(text).is_ok());
        is_read.then_some(Self(raw))
    }

    /// Bytes between its quotes.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.0.get().len() - 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quoted(inside: &[u8]) -> Vec<u8> {
        [b"\"", inside, b"\""].concat()
    }

    /// What a worker reads of a string that was handed on; the proxy must hand on just what can be read.
    #[track_caller]
    fn handed_on(document: &[u8]) -> Option<String> {
        let read = serde_json::from_slice::<String>(document).ok();
        let text = EscapedText::new(document);
        assert_eq!(text.is_some(), read.is_some(), "{document:?}");
        let json = serde_json::to_vec(&text?).unwrap();
        assert_eq!(json.len(), text?.bytes() + 2);
        assert_eq!(serde_json::from_slice(&json).ok(), read);
        read
    }

    #[test]
    fn a_text_is_handed_on_as_it_stands() {
        for text in [
            "",
            "plain, and \u{e9}\u{1F980}\u{7f}\u{2028}",
            r#"\"\\\/\b\f\n\r\t"#,
            r"\u00e9\u000A\u0000",
            r"\ud83e\udd80 \uD83E\uDD80",
            r"a path: C:\\users\\udine\\uD8",
        ] {
            assert!(handed_on(&quoted(text.as_bytes())).is_some(), "{text}");
            let document = quoted(text.as_bytes());
            let json = serde_json::to_vec(&EscapedText::new(&document).unwrap()).unwrap();
            assert_eq!(json, document);
        }
    }

    #[test]
    fn a_text_that_no_worker_could_read_is_not_handed_on() {
        for text in [
            // Surrogates that are alone, or the wrong way round.
            &br"\ud83e"[..],
            br"\udd80",
            br"\uDd80\ud83e",
            br"\ud83e\ud83e\udd80",
            br"\ud83ex\udd80",
            br"\ud83e\\udd80",
            br"\\\ud83e",
            // Escapes that are none, or are cut off.
            br"\x41",
            br"\U0041",
            br"\'",
            br"\u",
            br"\u12",
            br"\u12g4",
            br"\ud83e\udd8",
            b"\\\n",
            // Control characters.
            b"\n",
            b"a\tb",
            b"\0",
            b"\x1f",
            // No UTF-8.
            b"\xff",
            b"\xc3",
            b"\xc3\\n\xa9",
            b"\xed\xa0\x80",
            b"\xc0\x80",
            // No end, or one too early.
            b"\\",
            b"a\"b",
        ] {
            assert_eq!(handed_on(&quoted(text)), None, "{text:?}");
        }
        for document in [&b""[..], b"\"", b"7", b"null", b"[\"a\"]", b"\"a\" \"b\""] {
            assert_eq!(handed_on(document), None, "{document:?}");
        }
    }

    /// Pieces of texts that matter, whole and broken.
    const PIECES: [&[u8]; 24] = [
        b"a",
        b"some plain text",
        b"\\",
        b"\\\\",
        b"\\n",
        b"\\\"",
        b"\"",
        b"/",
        b"u",
        b"\\u",
        b"\\u00e9",
        b"\\ud83e",
        b"\\uDD80",
        b"\\uD83E",
        b"\\udd80",
        b"d83e",
        b"x",
        b"\n",
        b"\x1f",
        b"\x7f",
        b"\xc3",
        b"\xa9",
        "\u{1F980}".as_bytes(),
        "\u{e9}".as_bytes(),
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn just_what_can_be_read_is_handed_on_of_pieces_that_matter(
            pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12),
        ) {
            handed_on(&quoted(&pieces.concat()));
        }

        #[test]
        fn just_what_can_be_read_is_handed_on_of_any_bytes(text: Vec<u8>) {
            handed_on(&quoted(&text));
            handed_on(&text);
        }

        #[test]
        fn any_text_can_be_handed_on(text: String) {
            let document = serde_json::to_vec(&text).unwrap();
            prop_assert_eq!(handed_on(&document), Some(text));
        }
    }
}
