//! Replaces a block whose whole text appears earlier in the same prefix.

use std::borrow::Cow;

use super::earlier::Whole;
use super::{Compressor, Earlier, with_header};

const BEFORE: &str = "the same text, word for word, as block #";
const CONVERSATION: &str = " of this conversation";
const INSIDE: &str = " without what is put around it";

pub(super) struct Duplicate;

impl Compressor for Duplicate {
    fn compress(&self, text: &str, earlier: &Earlier) -> Option<String> {
        let (number, part) = match earlier.find_whole(text)? {
            Whole::Block(number) => (number, ""),
            Whole::Inside { block, .. } => (block, INSIDE),
        };
        let label = earlier.label(number)?;
        let (lines, bytes) = (text.split('\n').count(), text.len());
        Some(with_header(
            &format!("{BEFORE}{number}{CONVERSATION}{part}: {label}"),
            &format!("({lines} lines, {bytes} bytes)"),
        ))
    }

    fn expand(&self, header: &str, body: &str, earlier: &Earlier) -> Option<String> {
        let (number, rest) = header.strip_prefix(BEFORE)?.split_once(CONVERSATION)?;
        let block = number.parse().ok()?;
        let found = if rest.starts_with(INSIDE) {
            let bytes = bytes_said(body)?;
            Whole::Inside { block, bytes }
        } else {
            Whole::Block(block)
        };
        earlier.whole(found).map(Cow::into_owned)
    }
}

/// The number of bytes in `(1 lines, 2 bytes)`.
fn bytes_said(body: &str) -> Option<usize> {
    let (_, bytes) = body.split_once(" lines, ")?;
    bytes.strip_suffix(" bytes)")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::Source;

    #[test]
    fn a_repeated_text_names_the_first_block_that_has_it() {
        let mut earlier = Earlier::default();
        for text in ["other", "same\ntext", "same\ntext"] {
            earlier.push(Source {
                text,
                tool: Some("Bash"),
                input: Some(r#"{"command":"ls ]"}"#),
            });
        }
        let form = Duplicate.compress("same\ntext", &earlier).unwrap();
        assert!(
            form.contains("#2 of this conversation: Bash ls ]]\n"),
            "{form}"
        );
        let (header, body) = crate::compress::split_header(&form).unwrap();
        assert_eq!(
            Duplicate.expand(header, body, &earlier).unwrap(),
            "same\ntext"
        );
        assert_eq!(Duplicate.compress("same\ntext\n", &earlier), None);
    }
}
