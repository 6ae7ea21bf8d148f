//! Sessions as files: a few of this project's own making, and those that real agents had, where the recordings are present.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Conversation, Dialect};

/// What happens next in a session.
#[derive(Debug, Clone)]
pub enum Step {
    /// The conversation grows by this element.
    Message(Value),
    /// The client sends a request to this model, where one was recorded.
    Turn(Option<String>),
    /// The client keeps only the first elements.
    Reset(usize),
}

/// A recorded session.
#[derive(Debug)]
pub struct Session {
    /// Its name.
    pub id: String,
    /// Its request format.
    pub dialect: Dialect,
    /// Its tools.
    pub tools: Value,
    /// Its system prompt, where it was recorded.
    pub instructions: Option<String>,
    /// What happens in it.
    pub steps: Vec<Step>,
}

impl Session {
    /// A conversation with its fixed parts and no messages.
    #[must_use]
    pub fn begin(&self) -> Conversation {
        let mut conversation = Conversation::new(self.dialect, &self.id);
        conversation.tools = self.tools.clone();
        if let Some(instructions) = &self.instructions {
            conversation.instructions.clone_from(instructions);
        }
        conversation
    }
}

/// The sessions of this project's own making.
///
/// # Panics
/// When one can't be read.
#[must_use]
pub fn made_up() -> Vec<Session> {
    sessions("fixtures/sessions").expect("tests/fixtures/sessions")
}

/// The sessions that real agents had, or `None` where the recordings are not present.
///
/// # Panics
/// When a recording can't be read.
#[must_use]
pub fn recorded() -> Option<Vec<Session>> {
    sessions("../../shared/corpus/sessions")
}

fn sessions(folder: &str) -> Option<Vec<Session>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .collect();
    paths.sort();
    Some(paths.iter().map(|path| read(path)).collect())
}

fn read(path: &Path) -> Session {
    let text = fs::read_to_string(path).expect("a readable recording");
    let mut lines = text
        .lines()
        .map(|line| line.parse::<Value>().expect("a line of JSON"));
    let meta = lines.next().expect("the first line");
    let dialect = match meta["format"].as_str() {
        Some("anthropic.messages") => Dialect::Messages,
        Some("openai.chat") => Dialect::Chat,
        Some("openai.responses") => Dialect::Responses,
        other => panic!("{}: format {other:?}", path.display()),
    };
    Session {
        id: meta["id"].as_str().expect("an id").to_owned(),
        dialect,
        tools: if meta["tools"].is_array() {
            meta["tools"].clone()
        } else {
            serde_json::json!([])
        },
        instructions: meta["instructions"].as_str().map(str::to_owned),
        steps: lines.filter_map(step).collect(),
    }
}

fn step(mut line: Value) -> Option<Step> {
    match line["k"].as_str()? {
        "msg" => Some(Step::Message(line["m"].take())),
        "turn" => Some(Step::Turn(line["model"].as_str().map(str::to_owned))),
        "reset" => Some(Step::Reset(usize::try_from(line["keep"].as_u64()?).ok()?)),
        _ => None,
    }
}
