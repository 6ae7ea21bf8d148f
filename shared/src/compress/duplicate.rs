//! Replaces a block whose whole text appears earlier in the same prefix.

use std::borrow::Cow;

use super::earlier::Whole;
use super::form::Form;
use super::references::target::MIN_READ_BYTES;
use super::text::Text;
use super::{Compressor, Context, Earlier};

const SAME: &str = "the same text, word for word, as ";
const INSIDE: &str = "what is within ";

pub(super) struct Duplicate;

impl Compressor for Duplicate {
    fn form(&self, text: &Text<'_>, context: Context<'_>) -> Option<Form> {
        let is_short = text.whole.len() < MIN_READ_BYTES;
        let (block, part) = match context.earlier.find_whole(text.whole)? {
            Whole::Block(block) | Whole::Inside { block, .. }
                if is_short && reads_another_file(context, block) =>
            {
                (context.earlier.find_of_file(text.whole, context.call)?, "")
            }
            Whole::Block(block) => (block, ""),
            Whole::Inside { block, .. } => (block, INSIDE),
        };
        let name = context.earlier.name(block)?;
        let (lines, bytes) = (text.lines().len(), text.whole.len());
        Some(Form::headed(
            &format!("{SAME}{part}{name}"),
            &format!("({lines} lines, {bytes} bytes)"),
        ))
    }

    fn expand(&self, header: &str, body: &str, earlier: &Earlier) -> Option<String> {
        let name = header.strip_prefix(SAME)?;
        let found = match name.strip_prefix(INSIDE) {
            Some(name) => Whole::Inside {
                block: earlier.named(name)?,
                bytes: bytes_said(body)?,
            },
            None => Whole::Block(earlier.named(name)?),
        };
        earlier.whole(found).map(Cow::into_owned)
    }
}

/// Whether a file was read, and the same text stands in another one. An agent that reads a file wants to edit it, and quotes what stands there.
fn reads_another_file(context: Context<'_>, block: u32) -> bool {
    let other = context.earlier.block(block);
    let other = other.and_then(|block| block.file.as_deref());
    context.call.reads_file && other.is_some() && !context.call.is_of_file(other)
}

/// The number of bytes in `(1 lines, 2 bytes)`.
fn bytes_said(body: &str) -> Option<usize> {
    let (_, bytes) = body.split_once(" lines, ")?;
    bytes.strip_suffix(" bytes)")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::call::Call;
    use crate::compress::{Source, split_header};

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
        let call = Call::default();
        let context = Context {
            earlier: &earlier,
            call: &call,
        };
        let form = Duplicate
            .form(&Text::new("same\ntext"), context)
            .unwrap()
            .text;
        assert!(form.contains(" as 2nd Bash ls ]]\n"), "{form}");
        let (header, body) = split_header(&form).unwrap();
        assert_eq!(
            Duplicate.expand(header, body, &earlier).unwrap(),
            "same\ntext"
        );
        let longer = Duplicate.form(&Text::new("same\ntext\n"), context);
        assert!(longer.is_none());
    }

    #[test]
    fn a_short_file_that_was_read_is_not_said_to_be_as_another_one() {
        let input = |path: &str| format!(r#"{{"file_path":"/srv/{path}/package.json"}}"#);
        for (lines, of_another) in [(10, None), (1000, Some("Read /srv/a/package.json"))] {
            let text = "some text\n".repeat(lines);
            let mut earlier = Earlier::default();
            let form = |earlier: &Earlier, path: &str| {
                let call = Call::of(Some("Read"), Some(&input(path)));
                let call = &call;
                let form = Duplicate.form(&Text::new(&text), Context { earlier, call });
                form.map(|form| form.text)
            };
            let is_as = |form: Option<String>, name: Option<&str>| {
                let expected = name.map(|name| format!("[headroom: {SAME}{name}]"));
                form.as_deref().and_then(|form| form.lines().next()) == expected.as_deref()
            };
            let push = |earlier: &mut Earlier, path: &str| {
                earlier.push(Source {
                    text: &text,
                    tool: Some("Read"),
                    input: Some(&input(path)),
                });
            };
            push(&mut earlier, "a");
            assert!(is_as(form(&earlier, "a"), Some("Read /srv/a/package.json")));
            assert!(is_as(form(&earlier, "b"), of_another));
            push(&mut earlier, "b");
            let of_itself = of_another.or(Some("Read /srv/b/package.json"));
            assert!(is_as(form(&earlier, "b"), of_itself));
        }
    }
}
