//! What is read of small transcripts, file by file.
//!
//! | file | what |
//! |---|---|
//! | `claude_code` | transcripts of Claude Code |
//! | `codex` | rollouts of Codex |
//! | `files` | which files are read, and what of broken ones |
//! | `properties` | what holds whatever the lines say |
//! | `recorded` | recorded sessions |

mod claude_code;
mod codex;
mod files;
mod properties;
mod recorded;

use std::fs;

use serde_json::Value;

use super::{Event, Reader, Session};

/// The sessions in a file of this text, and the reader.
fn read_text(reader: &mut Reader, text: impl AsRef<[u8]>) -> anyhow::Result<Vec<Session>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("the-file.jsonl");
    fs::write(&file, text).unwrap();
    reader.read(&file)
}

/// The sessions in a file of these lines.
fn read_lines(reader: &mut Reader, lines: &[Value]) -> Vec<Session> {
    let text: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    read_text(reader, text.concat()).unwrap()
}

/// What happens in a session, an event a line: a message's JSON, `keep` and how many, `ask` and when.
fn outline(session: &Session) -> Vec<String> {
    let events = session.events.iter().map(|event| match event {
        Event::Message(json) => json.to_string(),
        Event::Truncate(kept) => format!("keep {kept}"),
        Event::Request(request) => format!("ask {}", request.at_ms),
    });
    events.collect()
}

/// Calls `see` with each request of a session and its messages.
fn each_request(session: &Session, mut see: impl FnMut(&super::Request, &[Value])) {
    let mut messages: Vec<Value> = Vec::new();
    for event in &session.events {
        match event {
            Event::Message(json) => messages.push(serde_json::from_str(json).unwrap()),
            Event::Truncate(kept) => {
                assert!(*kept < messages.len());
                messages.truncate(*kept);
            }
            Event::Request(request) => see(request, &messages),
        }
    }
}

/// Fails where the provider would refuse these messages: roles alternate, and the next message answers every call, and nothing else.
fn check_anthropic(messages: &[Value]) {
    assert_eq!(messages[0]["role"], "user");
    let blocks = |message: &Value| message["content"].as_array().cloned().unwrap_or_default();
    let ids = |message: &Value, kind: &str, name: &str| {
        let blocks = blocks(message).into_iter();
        let blocks = blocks.filter(|block| block["type"] == kind);
        let mut ids: Vec<String> = blocks.map(|block| block[name].to_string()).collect();
        ids.sort();
        ids
    };
    for pair in messages.windows(2) {
        assert_ne!(pair[0]["role"], pair[1]["role"]);
        let calls = ids(&pair[0], "tool_use", "id");
        assert_eq!(calls, ids(&pair[1], "tool_result", "tool_use_id"));
    }
    let last = messages.last().unwrap();
    assert!(ids(last, "tool_use", "id").is_empty());
    for message in messages {
        let kinds = blocks(message).into_iter();
        let kinds = kinds.map(|block| block["type"] != "tool_result");
        assert!(kinds.is_sorted(), "results come first");
    }
}
