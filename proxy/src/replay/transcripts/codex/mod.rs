//! Rollouts of Codex: `sessions/<year>/<month>/<day>/rollout-*.jsonl` in its folder.
//!
//! | file | what |
//! |---|---|
//! | `line` | what a line says |

mod line;

use self::line::{Item, Kind, Line, Said};
use super::lines::{BROKEN, Lines};
use super::{Event, Reader, Request, Session, USUAL_HEAD_TOKENS, head_tokens};

/// What a fork has of the session that it continues is written within this time.
const FORK_MS: u64 = 1_000;

/// Compactions may put in so many times the bytes that were read, beside [`MIN_PUT_IN_BYTES`].
const MOST_TIMES: usize = 4;

const MIN_PUT_IN_BYTES: usize = 1 << 20;

/// Why a compaction is left out that would put in more.
const TOO_MANY_COMPACTIONS: &str = "compactions that repeat too much";

/// So many bytes of prompts are kept in a compaction of which only the summary is written: 20,000 tokens at 4 bytes.
///
/// Source: Codex, `codex-rs/core/src/compact.rs`.
const KEPT_PROMPT_BYTES: usize = 80_000;

/// The session in a file.
///
/// # Errors
/// When the file can't be read.
pub(super) fn read(mut lines: Lines, reader: &mut Reader) -> anyhow::Result<Vec<Session>> {
    let mut rollout = Rollout::default();
    while let Some(line) = lines.next()? {
        rollout.bytes_read += line.len();
        let skipped = match Line::of(line) {
            Ok(line) => rollout.add(line).err(),
            Err(_) => Some(BROKEN),
        };
        if let Some(reason) = skipped {
            reader.skipped.line(reason);
        }
    }
    Ok(vec![rollout.finish(lines.stem())])
}

/// What happened so far.
#[derive(Debug, Default)]
struct Rollout {
    id: Option<String>,
    /// Until when what is written is what a fork has of another session; 0 where it is none.
    forked_until_ms: u64,
    model: String,
    messages: Vec<Sent>,
    /// Which of the messages are prompts.
    prompts: Vec<usize>,
    events: Vec<Event>,
    /// Where each request is among the events, and how many bytes its messages have.
    requests: Vec<(usize, usize)>,
    /// Whether the last item is of the response to the last request.
    answering: bool,
    /// Whether the last request's usage is known.
    is_stated: bool,
    /// All tokens when usage was stated last.
    total_tokens: Option<u64>,
    /// When the last line was written.
    now_ms: u64,
    /// When the last item of the client's was written.
    client_ms: u64,
    bytes_read: usize,
    /// Bytes that compactions have put in.
    put_in_bytes: usize,
}

/// A message of the conversation as it is.
#[derive(Debug)]
struct Sent {
    /// Its event.
    event: usize,
    kind: Kind,
    /// Bytes of the conversation up to its end.
    bytes: usize,
}

impl Rollout {
    /// Adds the next line.
    ///
    /// # Errors
    /// The reason for which it is skipped.
    fn add(&mut self, line: Line<'_>) -> Result<(), &'static str> {
        self.now_ms = line.at_ms.unwrap_or(self.now_ms);
        match line.said {
            Said::Begin { id, is_fork } if self.id.is_none() => {
                self.id = id;
                if is_fork {
                    self.forked_until_ms = self.now_ms.saturating_add(FORK_MS);
                }
                self.client_ms = self.now_ms;
            }
            Said::Model(model) => self.model = model,
            Said::Item(item) => self.item(&item),
            Said::Usage(usage, total) => {
                // It is written again when limits have changed.
                let is_new = total.is_none() || total != self.total_tokens;
                self.total_tokens = total;
                if is_new && let Some(request) = self.unstated() {
                    request.usage = Some(usage);
                    self.is_stated = true;
                }
            }
            Said::Compacted(items) => {
                self.truncate(0);
                for item in items {
                    self.push(item.json.into(), item.kind);
                }
            }
            Said::Summary(summary) => return self.compact(summary),
            Said::RolledBack(prompts) => self.roll_back(prompts),
            Said::Begin { .. } | Said::Other => {}
        }
        Ok(())
    }

    /// The session, as far as it is known.
    fn finish(self, stem: String) -> Session {
        let heads = self
            .requests
            .iter()
            .map(|(event, bytes)| match self.events.get(*event) {
                Some(Event::Request(request)) => head_tokens(request, *bytes),
                _ => None,
            });
        let head = heads.flatten().next();
        Session {
            id: self.id.unwrap_or(stem),
            client: "Codex",
            path: "/v1/responses",
            head_tokens: head.unwrap_or(USUAL_HEAD_TOKENS),
            events: self.events,
        }
    }

    fn item(&mut self, item: &Item<'_>) {
        if matches!(item.kind, Kind::Reasoning | Kind::Model) {
            self.answer(item.kind);
        } else {
            self.answering &= item.kind == Kind::Client;
            self.client_ms = self.now_ms;
        }
        self.push(item.json.into(), item.kind);
    }

    /// Takes note of an item of the model's: there was a request, unless it is of the response that had begun.
    fn answer(&mut self, kind: Kind) {
        // What tools gave out may stand between the calls of one response. Its usage is stated when it has ended.
        let after_output = self
            .messages
            .last()
            .is_some_and(|last| last.kind == Kind::Client);
        let is_next = after_output && (self.is_stated || self.total_tokens.is_none());
        if (!self.answering || is_next)
            && !self.messages.is_empty()
            && self.now_ms >= self.forked_until_ms
        {
            self.requests.push((self.events.len(), self.bytes()));
            self.is_stated = false;
            self.events.push(Event::Request(Request {
                at_ms: self.client_ms,
                model: self.model.clone(),
                usage: None,
                thinking: false,
            }));
        }
        self.answering = true;
        if kind == Kind::Reasoning
            && let Some(request) = self.last_request()
        {
            request.thinking = true;
        }
    }

    fn last_request(&mut self) -> Option<&mut Request> {
        let (event, _) = self.requests.last()?;
        match self.events.get_mut(*event) {
            Some(Event::Request(request)) => Some(request),
            _ => None,
        }
    }

    fn unstated(&mut self) -> Option<&mut Request> {
        self.last_request()
            .filter(|request| request.usage.is_none())
    }

    fn push(&mut self, json: Box<str>, kind: Kind) {
        if kind == Kind::Prompt {
            self.prompts.push(self.messages.len());
        }
        self.messages.push(Sent {
            event: self.events.len(),
            kind,
            bytes: self.bytes() + json.len(),
        });
        self.events.push(Event::Message(json));
    }

    /// Bytes of the messages.
    fn bytes(&self) -> usize {
        self.messages.last().map_or(0, |sent| sent.bytes)
    }

    fn truncate(&mut self, keep: usize) {
        if keep < self.messages.len() {
            self.messages.truncate(keep);
            let prompts = self.prompts.partition_point(|at| *at < keep);
            self.prompts.truncate(prompts);
            self.events.push(Event::Truncate(keep));
        }
        self.answering = false;
    }

    /// Keeps what the client tells, the last prompts and the summary, a JSON string, as Codex does.
    ///
    /// # Errors
    /// The reason for which it keeps the summary only.
    fn compact(&mut self, summary: &str) -> Result<(), &'static str> {
        let mut room = KEPT_PROMPT_BYTES;
        let mut kept: Vec<&Sent> = Vec::new();
        for (at, sent) in self.messages.iter().enumerate().rev() {
            let before = at
                .checked_sub(1)
                .map_or(0, |before| self.messages[before].bytes);
            let bytes = sent.bytes - before;
            match sent.kind {
                Kind::Context => kept.push(sent),
                Kind::Prompt if bytes <= room => {
                    room -= bytes;
                    kept.push(sent);
                }
                Kind::Prompt => room = 0,
                _ => {}
            }
        }
        let kept = kept
            .into_iter()
            .rev()
            .filter_map(|sent| match &self.events[sent.event] {
                Event::Message(json) => Some((json.clone(), sent.kind)),
                _ => None,
            });
        let mut kept: Vec<_> = kept.collect();
        self.put_in_bytes += kept.iter().map(|(json, _)| json.len()).sum::<usize>();
        let is_too_much = self.put_in_bytes > (self.bytes_read * MOST_TIMES).max(MIN_PUT_IN_BYTES);
        if is_too_much {
            kept.clear();
        }
        self.truncate(0);
        for (json, kind) in kept {
            self.push(json, kind);
        }
        let before = r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"#;
        self.push(format!("{before}{summary}}}]}}").into(), Kind::Client);
        if is_too_much {
            return Err(TOO_MANY_COMPACTIONS);
        }
        Ok(())
    }

    /// Leaves out the last prompts and all that follows them.
    fn roll_back(&mut self, prompts: usize) {
        let first = self.prompts.len().saturating_sub(prompts);
        if let Some(keep) = self.prompts.get(first) {
            self.truncate(*keep);
        }
    }
}
