//! Sessions as files: a few of this project's own making, and those that real agents had, where the recordings are present.

use std::fs;
use std::path::{Path, PathBuf};
use std::vec::IntoIter;

use serde_json::{Value, json};

use super::{Conversation, Dialect};

/// What happens next in a session.
#[derive(Debug, Clone)]
pub enum Step {
    /// The conversation grows by this element.
    Message(Value),
    /// The client sends a request.
    Turn(Turn),
    /// The client keeps only the first elements.
    Reset(usize),
}

/// When a request was sent, and to whom.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The model, where one was recorded.
    pub model: Option<String>,
    /// Milliseconds since the session began; 0 where that was not recorded.
    pub at_ms: u64,
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
    /// About how many tokens its system prompt and tools had.
    pub head_tokens: u64,
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

/// A recorded session on its way, told from all others that are made of the same recording.
#[derive(Debug)]
pub struct Playing {
    number: usize,
    rest: IntoIter<Step>,
}

impl Playing {
    /// The session with this number, and its conversation before the first turn. No two have a prefix in common.
    #[must_use]
    pub fn begin(session: &Session, number: usize) -> (Conversation, Self) {
        let mut conversation = session.begin();
        conversation.id = format!("{}-{number}", session.id);
        let rest = session.steps.clone().into_iter();
        (conversation, Self { number, rest })
    }

    /// Lets the conversation grow up to the next turn; false, and nothing has changed, if the recording has no further one.
    pub fn next_turn(&mut self, conversation: &mut Conversation) -> bool {
        let before = conversation.messages.len();
        for step in self.rest.by_ref() {
            match step {
                Step::Message(element) if conversation.messages.is_empty() => {
                    conversation.push(numbered(conversation.dialect, element, self.number));
                }
                Step::Message(element) => conversation.push(element),
                Step::Reset(keep) => conversation.messages.truncate(keep),
                Step::Turn(turn) => {
                    conversation.model = turn.model.unwrap_or_else(|| conversation.model.clone());
                    return true;
                }
            }
        }
        conversation.messages.truncate(before);
        false
    }

    /// Whether the client keeps only the first elements before the next turn.
    #[must_use]
    pub fn resets_next(&self) -> bool {
        let before_the_turn = |step: &&Step| !matches!(step, Step::Turn(_));
        let mut steps = self.rest.as_slice().iter().take_while(before_the_turn);
        steps.any(|step| matches!(step, Step::Reset(_)))
    }
}

/// A first message with a line of its own, so that no prefix of one session is one of another.
fn numbered(dialect: Dialect, mut message: Value, number: usize) -> Value {
    let line = format!("This is session {number}.\n");
    let kind = match dialect {
        Dialect::Messages | Dialect::Chat => "text",
        Dialect::Responses => "input_text",
    };
    match &mut message["content"] {
        Value::String(text) => text.insert_str(0, &line),
        Value::Array(parts) => parts.insert(0, json!({"type": kind, "text": line})),
        _ => {}
    }
    message
}

/// The sessions of this project's own making.
///
/// # Panics
/// When one can't be read.
#[must_use]
pub fn made_up() -> Vec<Session> {
    beside_the_package("fixtures/sessions").expect("tests/fixtures/sessions")
}

/// The sessions that real agents had, or `None` where the recordings are not present.
///
/// # Panics
/// When a recording can't be read.
#[must_use]
pub fn recorded() -> Option<Vec<Session>> {
    beside_the_package("../../shared/corpus/sessions")
}

fn beside_the_package(folder: &str) -> Option<Vec<Session>> {
    sessions_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
}

/// The sessions of a folder in the order of their names, or `None` where it can't be read.
///
/// # Panics
/// When one of them can't be read.
#[must_use]
pub fn sessions_in(folder: &Path) -> Option<Vec<Session>> {
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
        head_tokens: meta["prefix_tokens_est"].as_u64().unwrap_or(0),
        steps: lines.filter_map(step).collect(),
    }
}

fn step(mut line: Value) -> Option<Step> {
    match line["k"].as_str()? {
        "msg" => Some(Step::Message(line["m"].take())),
        "turn" => Some(Step::Turn(Turn {
            model: line["model"].as_str().map(str::to_owned),
            at_ms: (line["t"].as_f64().unwrap_or(0.0) * 1000.0) as u64,
        })),
        "reset" => Some(Step::Reset(usize::try_from(line["keep"].as_u64()?).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_one_recording_have_no_prefix_in_common() {
        for session in made_up() {
            let first = |number| {
                let (mut conversation, mut playing) = Playing::begin(&session, number);
                assert!(playing.next_turn(&mut conversation));
                conversation.messages[0].value.clone()
            };
            assert_ne!(first(1), first(2), "{}", session.id);
        }
    }

    #[test]
    fn a_recording_ends_with_its_last_turn() {
        for session in made_up() {
            let is_turn = |step: &&Step| matches!(step, Step::Turn(_));
            let turns = session.steps.iter().filter(is_turn).count();
            let (mut conversation, mut playing) = Playing::begin(&session, 1);
            for _ in 0..turns {
                assert!(playing.next_turn(&mut conversation));
            }
            let whole = conversation.messages.len();
            assert!(!playing.next_turn(&mut conversation));
            assert_eq!(conversation.messages.len(), whole);
        }
    }
}
