//! Requests of real shape: a Claude Code session whose tool results are what real tools printed, where the recordings are
//! present, or text with as many escapes.

use std::fs;
use std::path::Path;

use headroom_shared::compress::{Earlier, Source, compress};
use headroom_tests::conversation::{Conversation, Dialect, incompressible_source};
use serde_json::{Value, json};

/// Sizes of tool results in bytes, in turn, each of two like sizes with and without a form: half are under 500 bytes, and the
/// long ones hold most of the bytes (`docs/providers.md`, "What clients send").
const SIZES: [usize; 18] = [
    700, 600, 300, 350, 4_000, 4_500, 400, 450, 9_000, 8_000, 200, 300, 2_500, 2_200, 350, 250,
    16_000, 14_000,
];
/// About what a request takes beside its tool results, in bytes, and what a tool call takes beside its result.
const FRAME: usize = 500;
const CALL: usize = 280;
/// Digits that stand for the session's number in its first message, and for the request's in its first and its last.
const SESSION: &str = "1000000001";
const FIRST: &str = "1000000002";
const LAST: &str = "1000000003";

/// Texts that tools print.
#[derive(Debug)]
pub(crate) struct Texts {
    recorded: bool,
    /// Those that have a form, and those that have none.
    smaller: Vec<String>,
    stubborn: Vec<String>,
}

/// What is to become of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Its prefix is known, or there is nothing that would care.
    Known,
    /// Every other block has a form.
    Half,
    /// It begins a session.
    Cold,
}

/// A request of one session. It differs from one sending to the next in a number: in its last message, or in its first one
/// where it begins a session.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    /// The request as it is now.
    pub(crate) bytes: Vec<u8>,
    /// The session's request before it, which makes its prefix known.
    pub(crate) before: Vec<u8>,
    session: usize,
    number: usize,
}

impl Texts {
    /// The recorded ones, or generated ones.
    pub(crate) fn find() -> Self {
        let found = recorded();
        let recorded = found.is_some();
        let texts = found.unwrap_or_else(|| (0..64).map(|seed| source(seed, 16_000)).collect());
        let (smaller, stubborn) = texts.into_iter().partition(|text| has_form(text));
        Self {
            recorded,
            smaller,
            stubborn,
        }
    }

    /// Where they come from, for people.
    pub(crate) const fn name(&self) -> &'static str {
        if self.recorded {
            "recorded tool outputs"
        } else {
            "generated tool outputs"
        }
    }

    /// A request that is about `bytes` long.
    pub(crate) fn request(&self, bytes: usize, task: Task) -> Body {
        let mut session = Conversation::new(Dialect::Messages, SESSION);
        session.marked = task != Task::Half;
        session.streamed = false;
        session.instructions = "You are a careful engineer.".to_owned();
        session = session.user(&format!(
            "Session {SESSION}, request {FIRST}. Mend the failing test."
        ));
        let mut left = bytes.saturating_sub(FRAME);
        for turn in 0.. {
            let size = SIZES[turn % SIZES.len()].min(left.saturating_sub(CALL));
            if turn > 0 && size < 200 {
                break;
            }
            let text = self.text(turn, size, task == Task::Half && turn % 2 == 0);
            let command = format!("./report {turn}");
            left = left.saturating_sub(CALL + Value::from(text.as_str()).to_string().len());
            session = session.tool("Bash", &json!({"command": command}), &text);
        }
        let before = session.body().bytes;
        let session = session
            .assistant("Done so far.")
            .user(&format!("Go on with step {LAST}."));
        let bytes = session.body().bytes;
        let at = |digits: &str| {
            let found = bytes
                .windows(digits.len())
                .position(|window| window == digits.as_bytes());
            found.unwrap_or_default()
        };
        let (session, number) = (
            at(SESSION),
            at(if task == Task::Cold { FIRST } else { LAST }),
        );
        Body {
            bytes,
            before,
            session,
            number,
        }
    }

    fn text(&self, turn: usize, size: usize, smaller: bool) -> String {
        let texts = if smaller {
            &self.smaller
        } else {
            &self.stubborn
        };
        let long: Vec<&String> = texts.iter().filter(|text| text.len() >= size).collect();
        match long
            .get(turn % long.len().max(1))
            .map(|text| cut(text, size))
        {
            Some(text) if has_form(text) == smaller || size < 600 => text.to_owned(),
            _ if smaller => progress(turn, size),
            _ => source(turn, size),
        }
    }
}

impl Body {
    /// Makes it a request of this session.
    pub(crate) fn of_session(mut self, session: usize) -> Self {
        put(&mut self.bytes, self.session, session);
        put(&mut self.before, self.session, session);
        self
    }

    /// Makes it the session's request with this number.
    pub(crate) fn renew(&mut self, number: usize) {
        put(&mut self.bytes, self.number, number);
    }
}

fn put(bytes: &mut [u8], at: usize, number: usize) {
    let digits = format!("{number:010}");
    bytes[at..at + digits.len()].copy_from_slice(digits.as_bytes());
}

fn has_form(text: &str) -> bool {
    let block = Source {
        text,
        tool: Some("Bash"),
        input: Some(r#"{"command":"./report 1"}"#),
    };
    compress(block, &Earlier::default()).is_ok()
}

fn cut(text: &str, size: usize) -> &str {
    let end = (0..=size).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default().min(text.len())]
}

/// What a download prints: one line again and again.
fn progress(seed: usize, bytes: usize) -> String {
    let line = format!("fetching part {seed} of the index: waiting for \"mirror\"\n");
    cut(&line.repeat(bytes / line.len() + 1), bytes).to_owned()
}

/// Source code that no compressor makes smaller, of exactly so many bytes.
fn source(seed: usize, bytes: usize) -> String {
    cut(&incompressible_source(seed, bytes), bytes).to_owned()
}

fn recorded() -> Option<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/tool_outputs");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    let lines = paths
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok());
    let texts = lines.flat_map(|lines| {
        let documents = lines.lines().filter_map(|line| line.parse::<Value>().ok());
        let texts =
            documents.filter_map(|document| Some(document.get("text")?.as_str()?.to_owned()));
        texts.collect::<Vec<_>>()
    });
    Some(texts.collect()).filter(|texts: &Vec<String>| !texts.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_about_as_long_as_asked_and_differs_in_its_numbers() {
        let texts = Texts {
            recorded: false,
            smaller: Vec::new(),
            stubborn: Vec::new(),
        };
        for bytes in [4_000, 200_000] {
            for task in [Task::Known, Task::Half, Task::Cold] {
                let mut body = texts.request(bytes, task).of_session(7);
                let near = body.bytes.len().abs_diff(bytes);
                assert!(near < bytes / 5, "{bytes} {task:?}: {}", body.bytes.len());
                let before = body.bytes.clone();
                body.renew(8);
                assert_ne!(body.bytes, before);
                assert!(serde_json::from_slice::<Value>(&body.bytes).is_ok());
            }
        }
    }

    #[test]
    fn source_has_no_form() {
        assert!(!has_form(&source(1, 9_000)));
        assert!(has_form(&progress(1, 600)));
    }
}
