//! Undoes forms: one compressor after the other, and within what is around a text.

use std::borrow::Cow;

use super::plans::COMPRESSORS;
use super::wrapper::{self, StringsForm, WrappedForm};
use super::{Earlier, ansi, split_header};

/// At least as many headers as any plan can make.
const MAX_HEADERS: usize = 8;

/// Why a text could not be expanded.
#[derive(Debug, thiserror::Error)]
pub enum ExpandError {
    /// It does not begin with a header.
    #[error("not a form: no header stands first")]
    NotAForm,
    /// No compressor can undo its first header: another version's form, a damaged one, or one made with
    /// another `earlier`.
    #[error("no compressor can undo {0:?}")]
    Broken(String),
}

/// The text whose form is `form`, given the same `earlier` as [`compress`] was. Where the form [`compress`] made it, that is the original,
/// as [`gives_back`] tells.
///
/// # Errors
///
/// If `form` is not a form, or not one of this version and this `earlier`.
pub fn expand(form: &str, earlier: &Earlier) -> Result<String, ExpandError> {
    expand_within(form, earlier, 1)
}

/// [`expand`], where the form is this deep within others.
fn expand_within(form: &str, earlier: &Earlier, depth: usize) -> Result<String, ExpandError> {
    let Some((header, body)) = split_header(form) else {
        return Err(ExpandError::NotAForm);
    };
    if depth > wrapper::MAX_DEPTH {
        return undo_all(form, earlier);
    }
    let deeper = |form: &str| expand_within(form, earlier, depth + 1);
    if let Some(wrapped) = WrappedForm::read(header, body) {
        return match wrapped.has_header {
            true => Ok(wrapped.restore(&deeper(wrapped.inside)?)),
            false => Ok(wrapped.restore(wrapped.inside)),
        };
    }
    match StringsForm::read(header, body) {
        Some(strings) => strings.restore(deeper),
        None => undo_all(form, earlier),
    }
}

/// Undoes all compressors of a form without a wrapper.
fn undo_all(form: &str, earlier: &Earlier) -> Result<String, ExpandError> {
    let mut text = Cow::Borrowed(form);
    for _ in 0..MAX_HEADERS {
        let Some((header, body)) = split_header(&text) else {
            break;
        };
        let expanded = COMPRESSORS
            .iter()
            .find_map(|compressor| compressor.expand(header, body, earlier))
            .or_else(|| ansi::without_header(header, body))
            .ok_or_else(|| ExpandError::Broken(header.to_owned()))?;
        text = Cow::Owned(expanded);
    }
    match text {
        Cow::Borrowed(_) => Err(ExpandError::NotAForm),
        Cow::Owned(text) => Ok(text),
    }
}
