//! JSON in a layout that can be put back: its white space goes, and an array of like objects becomes a table that says the keys once.
//!
//! ```text
//! table{"id","user":{"login"},"tags":[{"name"}],"state"="open"}[[1,["bob"],[["x"],["y"]]]
//! [2,null,]]
//! ```
//!
//! A table stands where an array stood and is told from it by its first letter. Its rows stand on lines of their own. A place is empty
//! where the object has no such key, so a missing key is not a `null`. An object that does not fit its table is written out.

mod layout;
mod parse;
mod read;
mod shape;
mod write;

use super::{Compressor, Earlier, with_header};
use layout::Layout;
use parse::Document;

const ONE: &str = "JSON without white space";
const MANY: &str = "JSON values, one a line, without white space";
const TABLES: &str = "; table{keys}[rows] is an array of objects: a row (one a line) holds an object's values in the order of the keys, nothing where it lacks the key; \"key\"=value is the same in all rows; \"key\":{keys} is a row within the row, \"key\":[{keys}] rows";

pub(super) struct Json;

impl Compressor for Json {
    fn compress(&self, text: &str, _: &Earlier<'_>) -> Option<String> {
        let document = Document::parse(text)?;
        let layout = Layout::of(&document)?;
        let (body, tables) = write::with_tables(&document);
        let kind = if document.is_one() { ONE } else { MANY };
        let tables = if tables { TABLES } else { "" };
        Some(with_header(
            &format!("{kind}{tables}{}", layout.describe()),
            &body,
        ))
    }

    fn expand(&self, header: &str, body: &str, _: &Earlier<'_>) -> Option<String> {
        let (header, layout) = Layout::read(header)?;
        let json = match (header.strip_suffix(TABLES), header) {
            (Some(ONE), _) => read::one(body)?,
            (Some(MANY), _) => read::many(body)?,
            (None, ONE | MANY) => body.to_owned(),
            _ => return None,
        };
        layout.apply(&json)
    }
}

/// Whether a text is JSON, one value or several, in a layout that a form gives back to the letter.
pub(super) fn is_json(text: &str) -> bool {
    Document::parse(text).is_some_and(|document| Layout::of(&document).is_some())
}

#[cfg(test)]
mod tests;
