//! What a session does, drawn from a stream of its own, so that a seed gives the same sessions however their turns interleave.

use std::time::Duration;

use headroom_tests::conversation::{Conversation, Dialect, listing};
use headroom_tests::random::Random;
use serde_json::json;

/// The longest time between an answer and the next request, in milliseconds.
const LONGEST_THOUGHT: usize = 2500;

/// A session.
#[derive(Debug)]
pub(crate) struct Plan {
    number: usize,
    random: Random,
}

/// One turn.
#[derive(Debug)]
pub(crate) struct Step {
    /// How long the client takes before it.
    pub(crate) think: Duration,
    /// What it adds to the conversation.
    pub(crate) growth: Growth,
    /// Which replica serves it.
    pub(crate) replica: usize,
}

/// What is new in a turn.
#[derive(Debug)]
pub(crate) enum Growth {
    /// The results of tool calls.
    Results(Vec<String>),
    /// The model thinks, and then there is a result.
    Thought(String),
    /// The model says something, and the user too.
    Words(String),
}

impl Plan {
    /// The session with this number.
    pub(crate) fn drawn(random: &mut Random, number: usize) -> Self {
        Self {
            number,
            random: random.branch(),
        }
    }

    /// How it is when the proxy comes: each kind comes equally often.
    pub(crate) fn begin(&self) -> Conversation {
        let (dialect, marked, model) = match self.number % 8 {
            0 | 1 => (Dialect::Messages, true, "claude-opus-4-6"),
            2 | 3 => (Dialect::Messages, false, "claude-opus-4-6"),
            4 => (Dialect::Messages, true, "claude-opus-5-5"),
            5 => (Dialect::Messages, false, "claude-opus-5-5"),
            6 => (Dialect::Chat, true, "gpt-6.1-sol"),
            _ => (Dialect::Responses, true, "gpt-6.1-sol"),
        };
        let begin = Conversation::new(dialect, &format!("session-{}", self.number));
        let mut begin = begin.user("Go.");
        begin.marked = marked;
        model.clone_into(&mut begin.model);
        if (self.number / 8).is_multiple_of(2) {
            // It was long before.
            begin = (0..4).fold(begin, |it, seed| it.reads(self.number * 100 + seed, 8000));
            begin = begin.assistant("Read.").user("Go on.");
        }
        begin
    }

    /// The next turn.
    pub(crate) fn step(&mut self, dialect: Dialect) -> Step {
        Step::drawn(&mut self.random, dialect == Dialect::Messages)
    }
}

impl Step {
    fn drawn(random: &mut Random, thinks: bool) -> Self {
        // Some tools answer at once.
        let think = random.below(LONGEST_THOUGHT) * random.below(4).min(1);
        let think = u64::try_from(think).expect("small");
        let growth = match random.below(8) {
            0 => Growth::Words(format!("Now do step {}.", random.below(1000))),
            1 if thinks => Growth::Thought(text(random)),
            2 => Growth::Results(vec![text(random), text(random)]),
            _ => Growth::Results(vec![text(random)]),
        };
        Self {
            think: Duration::from_millis(think),
            growth,
            replica: random.below(2),
        }
    }

    /// The conversation after this step.
    pub(crate) fn grow(&self, conversation: Conversation) -> Conversation {
        let result = |it: Conversation, text: &String| {
            it.tool("Read", &json!({"file_path": "/srv/a"}), text)
        };
        match &self.growth {
            Growth::Results(texts) => texts.iter().fold(conversation, result),
            Growth::Thought(text) => result(conversation.thinking("Hm."), text),
            Growth::Words(words) => conversation.assistant("Done.").user(words),
        }
    }
}

/// A tool's output: half are under 500 bytes, a quarter is over 2 kB; source, a log, or what does not compress.
fn text(random: &mut Random) -> String {
    let bytes = match random.below(4) {
        0 | 1 => 50 + random.below(450),
        2 => 500 + random.below(1500),
        _ => 2000 + random.below(10_000),
    };
    match random.below(4) {
        0 | 1 => listing(random.below(1_000_000), bytes),
        2 => lines(bytes, |line| {
            format!(
                "2026-11-21T09:{:02}:{:02}Z INFO worker: claimed job={} attempt=1\n",
                line / 60 % 60,
                line % 60,
                random.any()
            )
        }),
        _ => lines(bytes, |_| {
            format!("{:016x}{:016x}\n", random.any(), random.any())
        }),
    }
}

fn lines(bytes: usize, mut line: impl FnMut(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        if text.len() >= bytes {
            break;
        }
        text.push_str(&line(number));
    }
    text
}
