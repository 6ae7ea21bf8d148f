//! Transcripts of Claude Code: `projects/<folder>/<session>.jsonl` in its folder, and those of sub-agents beside or below them.
//!
//! | file | what |
//! |---|---|
//! | `entry` | what a line says |
//! | `chain` | which entries a request holds: those that its first entry follows |
//! | `messages` | the messages that these entries make |
//! | `conversation` | what happened in a conversation: the session's own or a sub-agent's |

mod chain;
mod conversation;
mod entry;
mod messages;

use std::collections::HashMap;

use self::conversation::Conversation;
use self::entry::{Entry, Link};
use super::lines::{BROKEN, Lines};
use super::{Reader, Session};

/// The sessions in a file: its own, and those of sub-agents.
///
/// # Errors
/// When the file can't be read.
pub(super) fn read(mut lines: Lines, reader: &mut Reader) -> anyhow::Result<Vec<Session>> {
    let mut conversations = Conversations::new(lines.bytes());
    while let Some(line) = lines.next()? {
        let Some((link, entry)) = entry::parse(line) else {
            reader.skipped.line(BROKEN);
            continue;
        };
        let entry = entry.unwrap_or_else(|| {
            reader.skipped.line(BROKEN);
            Entry::Other
        });
        conversations.add(link, entry, reader);
    }
    let sessions = conversations.all.into_iter().map(Conversation::finish);
    let mut sessions: Vec<Session> = sessions.collect();
    for session in &mut sessions {
        if session.id.is_empty() {
            session.id = lines.stem();
        }
    }
    Ok(sessions)
}

/// The conversations in a file.
struct Conversations {
    /// The file's size.
    bytes: u64,
    /// The first is the session's own, the others are of sub-agents.
    all: Vec<Conversation>,
    by_agent: HashMap<Box<str>, usize>,
    /// In which conversation of a sub-agent without a name an entry is.
    by_entry: HashMap<Box<str>, usize>,
    /// The conversation of a sub-agent without a name that had the last entry.
    last_unnamed: Option<usize>,
}

impl Conversations {
    fn new(bytes: u64) -> Self {
        Self {
            all: vec![Conversation::new(bytes)],
            bytes,
            by_agent: HashMap::new(),
            by_entry: HashMap::new(),
            last_unnamed: None,
        }
    }

    fn add(&mut self, link: Link, entry: Entry, reader: &mut Reader) {
        let at = self.place(&link);
        let Some(conversation) = self.all.get_mut(at) else {
            return;
        };
        if conversation.id.is_empty()
            && let Some(session) = &link.session_id
        {
            let agent = link.agent_id.as_ref().or(link.uuid.as_ref());
            conversation.id = match agent.filter(|_| at > 0) {
                Some(agent) => format!("{session}/{agent}"),
                None => session.to_string(),
            };
        }
        conversation.add(link, entry, reader);
    }

    /// Which conversation an entry is in. Sub-agents of older clients have no name: what follows none of their entries begins a new one.
    fn place(&mut self, link: &Link) -> usize {
        if link.is_sidechain != Some(true) {
            return 0;
        }
        if let Some(agent) = &link.agent_id {
            if let Some(at) = self.by_agent.get(agent) {
                return *at;
            }
            let at = self.begin();
            self.by_agent.insert(agent.clone(), at);
            return at;
        }
        let parent = link.parent_uuid.as_ref();
        let at = parent.and_then(|parent| self.by_entry.get(parent).copied().or(self.last_unnamed));
        let at = at.unwrap_or_else(|| self.begin());
        if let Some(uuid) = &link.uuid {
            self.by_entry.insert(uuid.clone(), at);
        }
        self.last_unnamed = Some(at);
        at
    }

    fn begin(&mut self) -> usize {
        self.all.push(Conversation::new(self.bytes));
        self.all.len() - 1
    }
}
