//! Sessions recorded with all that a request holds, in a format of their own: a line `meta` with the fixed parts of requests, then `msg` with
//! an element of the request's array, `turn` where a request goes out, and `reset` where the client keeps only the first elements.

use std::borrow::Cow;

use anyhow::{Context as _, bail};
use headroom_shared::contract::model::Model;
use headroom_shared::contract::usage::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::lines::{BROKEN, Lines};
use super::{Event, MAX_HEAD_TOKENS, Reader, Request, Session, stated_usage};

/// The formats that sessions are recorded in, the path of each, and how it states usage.
const FORMATS: [(&str, &str, StatedUsage); 3] = [
    (
        "anthropic.messages",
        "/v1/messages",
        stated_usage::anthropic,
    ),
    ("openai.chat", "/v1/chat/completions", stated_usage::openai),
    ("openai.responses", "/v1/responses", stated_usage::openai),
];

/// Clients by how their recordings name them.
const CLIENTS: [(&str, &str); 5] = [
    ("claude-code", "Claude Code"),
    ("pi-coding-agent", "pi"),
    ("mini-swe-agent", "mini-SWE-agent"),
    ("SWE-agent", "SWE-agent"),
    ("tau-bench", "tau-bench"),
];

type StatedUsage = fn(&RawValue) -> Option<Usage>;

/// The session in a file.
///
/// # Errors
/// When the file can't be read, or its requests are of no format that is known.
pub(super) fn read(mut lines: Lines, reader: &mut Reader) -> anyhow::Result<Vec<Session>> {
    let stem = lines.stem();
    let mut recording = None;
    while let Some(line) = lines.next()? {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else {
            reader.skipped.line(BROKEN);
            continue;
        };
        match &mut recording {
            None if line.k == "meta" => recording = Some(Recording::new(line, &stem)?),
            None => reader.skipped.line("lines before what they belong to"),
            Some(recording) => recording.line(&line),
        }
    }
    let recording = recording.context("does not say what was recorded: it has no meta line")?;
    Ok(vec![recording.finish()])
}

/// A line of any kind.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    k: Cow<'a, str>,
    id: Option<String>,
    format: Option<String>,
    client: Option<String>,
    prefix_tokens_est: Option<u64>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    #[serde(borrow)]
    instructions: Option<&'a RawValue>,
    #[serde(borrow)]
    m: Option<&'a RawValue>,
    t: Option<f64>,
    model: Option<String>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    keep: Option<usize>,
}

/// What of an element tells that the model thought.
#[derive(Deserialize)]
struct Element<'a> {
    #[serde(rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(rename = "type")]
    kind: Option<Cow<'a, str>>,
}

struct Recording {
    session: Session,
    stated_usage: StatedUsage,
    /// Bytes of tools and instructions, where only they tell how large the head is.
    head_bytes: Option<usize>,
    /// How many messages there are.
    messages: usize,
    /// Whether the last line was a request: its answer follows.
    asked: bool,
    now_ms: u64,
}

impl Recording {
    fn new(meta: Line<'_>, stem: &str) -> anyhow::Result<Self> {
        let format = meta.format.unwrap_or_default();
        let known = FORMATS.iter().find(|(known, ..)| *known == format);
        let Some((_, path, stated_usage)) = known else {
            bail!("is recorded in a request format that is not known");
        };
        let name = meta.client.unwrap_or_default();
        let client = CLIENTS.iter().find(|(known, _)| name.starts_with(known));
        let fixed = [meta.tools, meta.instructions].into_iter().flatten();
        let fixed_bytes = fixed.map(|json| json.get().len()).sum();
        Ok(Self {
            session: Session {
                id: meta.id.unwrap_or_else(|| stem.to_owned()),
                client: client.map_or("another client", |(_, client)| client),
                path,
                head_tokens: meta.prefix_tokens_est.unwrap_or(0).min(MAX_HEAD_TOKENS),
                events: Vec::new(),
            },
            stated_usage: *stated_usage,
            head_bytes: meta.prefix_tokens_est.is_none().then_some(fixed_bytes),
            messages: 0,
            asked: false,
            now_ms: 0,
        })
    }

    fn line(&mut self, line: &Line<'_>) {
        let asked = std::mem::take(&mut self.asked);
        match &*line.k {
            "msg" => {
                let Some(message) = line.m else { return };
                if let Some(Event::Request(request)) =
                    self.session.events.last_mut().filter(|_| asked)
                {
                    request.thinking = thinks(message);
                }
                self.session
                    .events
                    .push(Event::Message(message.get().into()));
                self.messages += 1;
            }
            "reset" => {
                let keep = line.keep.unwrap_or(0).min(self.messages);
                self.session.events.push(Event::Truncate(keep));
                self.messages = keep;
            }
            "turn" if self.messages > 0 => {
                self.asked = true;
                self.request(line);
            }
            _ => {}
        }
    }

    fn request(&mut self, line: &Line<'_>) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a time out of range becomes the nearest one"
        )]
        let stated = line.t.map(|seconds| (seconds * 1000.0).round() as u64);
        self.now_ms = stated.unwrap_or(self.now_ms);
        let model = line.model.clone().unwrap_or_default();
        if let Some(bytes) = self.head_bytes.take() {
            self.session.head_tokens = Model::named(&model).tokens(bytes);
        }
        self.session.events.push(Event::Request(Request {
            at_ms: self.now_ms,
            model,
            usage: line.usage.and_then(self.stated_usage),
            thinking: false,
        }));
    }

    fn finish(self) -> Session {
        self.session
    }
}

fn thinks(message: &RawValue) -> bool {
    let is_thinking = |kind: &Option<Cow<'_, str>>| {
        matches!(
            kind.as_deref(),
            Some("thinking" | "redacted_thinking" | "reasoning")
        )
    };
    let Ok(element) = serde_json::from_str::<Element<'_>>(message.get()) else {
        return false;
    };
    let parts = element.content.map(|json| json.get());
    let parts: Vec<Part<'_>> = parts
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    is_thinking(&element.kind) || parts.iter().any(|part| is_thinking(&part.kind))
}
