//! [`Request`]: what a call of the tool asks for.

use headroom_shared::contract::id::{NotAnOriginalId, OriginalId};
use serde_json::{Map, Value};

use super::line_ranges::{LineRanges, NotLines};
use super::pattern::{NotAPattern, Pattern};

/// The arguments by their names.
pub(super) const ID: &str = "id";
pub(super) const LINES: &str = "lines";
pub(super) const PATTERN: &str = "pattern";

/// What a call asks for.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) original: OriginalId,
    pub(super) part: Part,
}

/// Which lines of the text: all, where nothing is given.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// These.
    pub(super) lines: Option<LineRanges>,
    /// Of these or all, those that match, and those around them.
    pub(super) pattern: Option<Pattern>,
}

/// Arguments that can't be used. Its text says what is right.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadArguments {
    #[error("{0} is missing: it stands in the first line of the shortened text")]
    Missing(&'static str),
    #[error("{0} must be a string")]
    NotAString(&'static str),
    #[error("{0:?} is no argument: id, lines and pattern are")]
    Unknown(String),
    #[error(transparent)]
    Id(#[from] NotAnOriginalId),
    #[error(transparent)]
    Lines(#[from] NotLines),
    #[error(transparent)]
    Pattern(#[from] NotAPattern),
}

impl Request {
    /// What these arguments ask for. Those that may be left out may be empty or null too, as some models write them.
    pub(super) fn new(arguments: &Map<String, Value>) -> Result<Self, BadArguments> {
        let mut names = arguments.keys();
        if let Some(name) = names.find(|name| ![ID, LINES, PATTERN].contains(&name.as_str())) {
            return Err(BadArguments::Unknown(name.chars().take(40).collect()));
        }
        let id = text(arguments, ID)?.ok_or(BadArguments::Missing(ID))?;
        let lines = text(arguments, LINES)?.map(str::parse).transpose()?;
        let pattern = text(arguments, PATTERN)?.map(str::parse).transpose()?;
        Ok(Self {
            original: id.trim().parse()?,
            part: Part { lines, pattern },
        })
    }
}

/// An argument's text, if it is given.
fn text<'a>(
    arguments: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, BadArguments> {
    match arguments.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(BadArguments::NotAString(name)),
    }
}
