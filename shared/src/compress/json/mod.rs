//! Removes the white space of JSON whose layout can be restored, and writes arrays of similar objects as tables that name the keys once.
//!
//! ```text
//! table{"id","user":{"login"},"tags":[{"name"}],"state"="open"}[[1,["bob"],[["x"],["y"]]]
//! [2,null,]]
//! ```
//!
//! A table replaces an array; its first letter tells it from one. Each row is on a line of its own. A place is empty where the object has
//! no such key, so a missing key is not a `null`. An object that does not fit its table is written out. A space after an opening bracket
//! belongs to the layout (`layout`), and stands in tables, too.

mod layout;
pub(super) mod parse;
mod read;
mod shape;
pub(super) mod strings;
mod write;

use super::form::Form;
use super::text::Text;
use super::{Compressor, Context, Earlier};
use layout::{BYTE_ORDER_MARK, Layout};
use parse::{Document, LazyDocument};

const ONE: &str = "JSON without white space";
const MANY: &str = "JSON values, one a line, without white space";
const TABLES: &str = "; table{keys}[rows]: a row holds an object's values in the order of the keys, nothing where it lacks the key";
const CONSTANTS: &str = "; \"key\"=value: the same in all rows";
const NESTED: &str = "; \"key\":{keys}: a row within the row, \"key\":[{keys}]: rows";

pub(super) struct Json;

impl Compressor for Json {
    fn form(&self, text: &Text<'_>, context: Context<'_>) -> Option<Form> {
        let (layout, minified) = Layout::split(text.json())?;
        let document = Document::of_json(&minified)?;
        if !layout.gives_back(&document, text.whole) || context.earlier.deadline.is_over() {
            return None;
        }
        let (body, used) = write::with_tables(&document, context.earlier.deadline);
        let kind = if document.is_one() { ONE } else { MANY };
        let said = |is_used: bool, text: &'static str| if is_used { text } else { "" };
        let (tables, constants, nested) = (
            said(used.tables, TABLES),
            said(used.constants, CONSTANTS),
            said(used.nested, NESTED),
        );
        Some(Form::headed(
            &format!("{kind}{tables}{constants}{nested}{}", layout.describe()),
            &body,
        ))
    }

    fn expand(&self, header: &str, body: &str, _: &Earlier) -> Option<String> {
        let (header, layout) = Layout::read(header)?;
        let header = header.strip_suffix(NESTED).unwrap_or(header);
        let header = header.strip_suffix(CONSTANTS).unwrap_or(header);
        let json = match (header.strip_suffix(TABLES), header) {
            (Some(ONE), _) => read::one(body)?,
            (Some(MANY), _) => read::many(body)?,
            (None, ONE | MANY) => body.to_owned(),
            _ => return None,
        };
        layout.apply(&json)
    }
}

/// Whether a text is JSON: its form may hold it without its lines.
pub(super) fn is_json(whole: &LazyDocument<'_>) -> bool {
    let json = whole.text.trim_start_matches(BYTE_ORDER_MARK);
    json.trim_start().starts_with(['{', '['])
        && match json.len() == whole.text.len() {
            true => whole.get().is_some(),
            false => Document::parse(json).is_some(),
        }
}

#[cfg(test)]
mod tests;
