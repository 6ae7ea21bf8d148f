//! The result of a job: for each block of a prefix that is worth it, a smaller form.

use serde::{Deserialize, Serialize};

use crate::compress::shorten;
use crate::contract::id::{BlockId, FormId, OriginalId};
use crate::contract::job::Place;

/// The version of a compressed prefix's layout that this code writes and reads.
pub const VERSION: u32 = 1;

/// A worker's result for a prefix, as it is stored. The texts of the forms are stored beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompressedPrefix {
    /// [`VERSION`] of the program that made it.
    pub v: u32,
    /// [`crate::compress::VERSION`] of the compressors that made the forms.
    pub compressor: u32,
    /// What identifies the model that left words out of texts; `None` where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Whether a form may refer to an earlier block.
    pub references: bool,
    /// The blocks that got a form, in the order of the conversation.
    pub blocks: Vec<CompressedBlock>,
}

/// One block's form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompressedBlock {
    /// Where the block is in the conversation.
    pub place: Place,
    /// The digest of its original text.
    pub block: BlockId,
    /// Its form.
    pub form: FormId,
    /// Bytes of the original text as the model reads it, not escaped.
    pub from_bytes: u64,
    /// Bytes of the form's text as the model reads it, not escaped.
    pub to_bytes: u64,
    /// How many tokens the form is shorter, as [`crate::compress::estimated_millitokens`] estimates them; 0 in what versions before it
    /// was stated have made.
    #[serde(default)]
    pub saved_tokens: u64,
    /// Whether the form is a shortened one: it leaves out what only the block's original says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shortened: bool,
}

/// A form and its text: what is spliced between the quotes of a JSON string, already escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The form's name.
    pub id: FormId,
    /// The escaped text.
    pub text: String,
    /// The block's original, where the form is a shortened one.
    pub original: Option<OriginalId>,
}

impl Form {
    /// The form of `block` that shows `text` (as the model reads it) to the model.
    #[must_use]
    pub fn new(block: BlockId, text: &str) -> Self {
        let quoted = serde_json::Value::from(text).to_string();
        let escaped = quoted[1..quoted.len() - 1].to_owned();
        Self {
            id: FormId::of(block, &escaped),
            text: escaped,
            original: original_in(block, text),
        }
    }

    /// The form of `block` whose escaped text this is; `None` where it could not stand between the quotes of a JSON string, or is no Unicode.
    #[must_use]
    pub fn of_escaped(block: BlockId, text: &[u8]) -> Option<Self> {
        let shown = unescaped(text)?;
        let text = String::from_utf8(text.to_vec()).ok()?;
        Some(Self {
            id: FormId::of(block, &text),
            text,
            original: original_in(block, &shown),
        })
    }
}

/// The original of `block`, where its form that shows `text` is a shortened one.
fn original_in(block: BlockId, text: &str) -> Option<OriginalId> {
    shorten::original_of(text).filter(|original| *original == OriginalId::of(block))
}

/// The text as the model reads it of one that is escaped, such as a form's; `None` where it could not stand between the quotes of a JSON
/// string, or is no Unicode.
#[must_use]
pub fn unescaped(text: &[u8]) -> Option<String> {
    serde_json::from_slice(&[b"\"", text, b"\""].concat()).ok()
}

/// Everything that a finished job leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobResult {
    /// The compressed prefix.
    pub compressed: CompressedPrefix,
    /// The text of every form it names.
    pub forms: Vec<Form>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_escaped_and_named_by_block_and_text() {
        let (a, b) = (BlockId::from_bytes([1; 16]), BlockId::from_bytes([2; 16]));
        let form = Form::new(a, "say \"x\"\n\u{1}é");
        assert_eq!(form.text, "say \\\"x\\\"\\n\\u0001é");
        assert_ne!(form.id, Form::new(b, "say \"x\"\n\u{1}é").id);
        let text = unescaped(form.text.as_bytes());
        assert_eq!(text.as_deref(), Some("say \"x\"\n\u{1}é"));
        assert_eq!(unescaped(br#"a"b"#), None);
    }
}
