//! Reads the transcripts that coding agents keep on their user's disk, as the requests that made them.
//!
//! | file | what |
//! |---|---|
//! | `find` | which files are transcripts |
//! | `lines` | the lines of a file, and what format they are of |
//! | `claude_code/` | transcripts of Claude Code |
//! | `codex/` | rollouts of Codex |
//! | `recorded` | sessions recorded with all that a request holds |
//! | `stated_usage` | the usage that a transcript states |
//! | `timestamp` | times as transcripts write them |

mod claude_code;
mod codex;
mod find;
mod lines;
mod recorded;
mod stated_usage;
mod timestamp;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::bail;
use headroom_shared::contract::model::Model;
use headroom_shared::contract::usage::Usage;

pub(crate) use self::find::find;
use self::lines::{Format, Lines};

/// Tokens of tools and system prompt where nothing tells them.
const USUAL_HEAD_TOKENS: u64 = 20_000;

/// The most that tools and system prompt are taken for: what is beyond is conversation that the transcript does not hold.
const MAX_HEAD_TOKENS: u64 = 150_000;

/// A session as its client has kept it.
#[derive(Debug)]
pub(crate) struct Session {
    /// The client's own name for it; of a sub-agent, the session's and the agent's with `/` between them.
    pub(crate) id: String,
    /// The client, as its makers write it.
    pub(crate) client: &'static str,
    /// The path that its requests are posted to: `/v1/…`.
    pub(crate) path: &'static str,
    /// Tokens of tools and system prompt, which transcripts do not hold.
    pub(crate) head_tokens: u64,
    /// What happened, in order.
    pub(crate) events: Vec<Event>,
}

/// What happens in a session.
#[derive(Debug)]
pub(crate) enum Event {
    /// The conversation grows by a message: its JSON as the client sends it.
    Message(Box<str>),
    /// The client keeps only the first messages: a compaction, or a step back (a fork, an edited prompt).
    Truncate(usize),
    /// A request with all messages so far.
    Request(Request),
}

/// A request with all messages so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// When it went out, in milliseconds since 1970, or since the session's start where only that is known.
    pub(crate) at_ms: u64,
    /// The model as the transcript names it; empty where it does not.
    pub(crate) model: String,
    /// The usage as the transcript states it.
    pub(crate) usage: Option<Usage>,
    /// Whether the model may think in it: there is thinking in its answer.
    pub(crate) thinking: bool,
}

/// What could not be read. Holds no content of a transcript.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    /// Files and folders, each with the reason.
    pub(crate) files: Vec<(PathBuf, String)>,
    /// How many lines, by reason.
    pub(crate) lines: BTreeMap<&'static str, u64>,
}

impl Skipped {
    fn line(&mut self, reason: &'static str) {
        *self.lines.entry(reason).or_default() += 1;
    }
}

/// Reads transcripts, one file after the other. A request that several files tell of (a resumed session repeats what it continues) is in
/// the sessions of the first of them only; the messages are in all.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Ids of the messages that were answers, and the same with those of their requests.
    seen: HashSet<Box<str>>,
    /// What could not be read so far: lines, for the caller is told of a file by an error.
    pub(crate) skipped: Skipped,
}

impl Reader {
    /// The sessions in a file that have a request, in the order in which they begin. Holds the messages twice while it reads, and
    /// more often only where they are sent again after steps back. Skips lines that are broken or cut: the client may be writing.
    ///
    /// # Errors
    /// When the file can't be read, is no regular file, is too large, or is no transcript of a format that is known.
    pub(crate) fn read(&mut self, file: &Path) -> anyhow::Result<Vec<Session>> {
        let mut lines = Lines::open(file)?;
        let mut sessions = match lines.format()? {
            Some(Format::ClaudeCode) => claude_code::read(lines, self)?,
            Some(Format::Codex) => codex::read(lines, self)?,
            Some(Format::Recorded) => recorded::read(lines, self)?,
            None => bail!("is no transcript of a format that is known"),
        };
        sessions.retain(Session::has_request);
        Ok(sessions)
    }

    /// Whether a response, named by the ids of message and request, is not in what was read before. One without names is always new. A
    /// sub-agent that continues the session's conversation repeats responses under other ids of requests.
    fn is_new(&mut self, response: Option<&[Box<str>; 2]>, is_sidechain: bool) -> bool {
        let Some([message, request]) = response else {
            return true;
        };
        let is_new_message = self.seen.insert(message.clone());
        let is_new_request = self.seen.insert(format!("{message} {request}").into());
        is_new_message || is_new_request && !is_sidechain
    }
}

impl Session {
    fn has_request(&self) -> bool {
        let mut events = self.events.iter();
        events.any(|event| matches!(event, Event::Request(_)))
    }
}

/// Tokens of what a request holds beside its messages: what the usage states beyond the estimate of these.
fn head_tokens(request: &Request, messages_bytes: usize) -> Option<u64> {
    let messages = Model::named(&request.model).tokens(messages_bytes);
    let head = request.usage?.input.saturating_sub(messages);
    Some(head.min(MAX_HEAD_TOKENS))
}

#[cfg(test)]
mod tests;
