//! Which session comes when, each with its conversation and its pace, drawn from a stream of its own, so that a seed gives the same
//! sessions however their turns interleave.

use std::time::Duration;

use headroom_tests::conversation::recorded::{self, Playing, Step};
use headroom_tests::conversation::{Conversation, Dialect, Message};
use headroom_tests::random::Random;
use serde_json::{Value, json};

/// A model that binds its thinking, for sessions in Anthropic's format.
const BINDING: &str = "claude-opus-5-5";
/// The share of a session, in percent of its turns, that happened before it meets the proxies, where it began before.
const BEFORE: usize = 40;
/// How many turns a session has that ends before its recording does.
const FEW_TURNS: usize = 8;
/// The longest time between a response and the next request, in milliseconds: mostly, where a tool answers, and where the user
/// is away.
const LONGEST_THOUGHT: usize = 1800;
const LONGEST_TOOL: usize = 200;
const LONGEST_IDLE: usize = 15_000;

/// Where sessions come from.
#[derive(Debug)]
pub(crate) struct Source {
    sessions: Vec<recorded::Session>,
    pub(crate) name: String,
}

impl Source {
    /// The recorded sessions, or the project's own where there are none.
    pub(crate) fn find() -> Self {
        let (sessions, name) = match recorded::recorded() {
            Some(sessions) => (sessions, "recorded sessions"),
            None => (recorded::made_up(), "sessions of the project's own"),
        };
        Self {
            name: format!("{} {name}, in turn", sessions.len()),
            sessions,
        }
    }

    /// The session with this number, as a seed gives it.
    pub(crate) fn session(&self, number: usize, seed: u64) -> (Conversation, Play) {
        let mut random = Random::of(seed.wrapping_add(number as u64)).branch();
        // All come before one comes again, from another place for each seed.
        let first = usize::try_from(seed % self.sessions.len() as u64).unwrap_or(0);
        let session = &self.sessions[(first + number) % self.sessions.len()];
        let (mut conversation, playing) = Playing::begin(session, number);
        let messages = session.dialect == Dialect::Messages;
        conversation.marked = random.below(2) == 0;
        let mut play = Play {
            may_be_cached: conversation.marked || !messages,
            binds: messages && random.below(3) == 0,
            playing,
            turns: usize::MAX,
            random,
        };
        if play.random.below(2) == 0 {
            let is_turn = |step: &&Step| matches!(step, Step::Turn(_));
            let turns = session.steps.iter().filter(is_turn).count();
            for _ in 0..turns * BEFORE / 100 {
                play.grow(&mut conversation);
            }
        }
        if play.random.below(2) == 0 {
            play.turns = 1 + play.random.below(FEW_TURNS);
        }
        (conversation, play)
    }
}

/// A session on its way.
#[derive(Debug)]
pub(crate) struct Play {
    /// Whether the provider may have something of it in its cache.
    pub(crate) may_be_cached: bool,
    /// Whether it is on a model that binds its thinking, and thinks.
    binds: bool,
    playing: Playing,
    /// How many turns it still has at most.
    turns: usize,
    random: Random,
}

impl Play {
    /// Lets the conversation grow up to the next turn; false if there is no further one.
    pub(crate) fn grow(&mut self, conversation: &mut Conversation) -> bool {
        let before = conversation.messages.len();
        if self.turns == 0 {
            return false;
        }
        self.turns -= 1;
        if !self.playing.next_turn(conversation) {
            return false;
        }
        if self.binds {
            BINDING.clone_into(&mut conversation.model);
            let dialect = conversation.dialect;
            for message in conversation.messages.iter_mut().skip(before) {
                if self.random.below(2) == 0 && !message.thinks() {
                    *message = Message::new(dialect, thoughtful(message.value.clone()));
                }
            }
        }
        true
    }

    /// How long the client takes before the next turn.
    pub(crate) fn pause(&mut self) -> Duration {
        let ms = match self.random.below(40) {
            0 => self.random.below(LONGEST_IDLE),
            1..=10 => self.random.below(LONGEST_TOOL),
            _ => 200 + self.random.below(LONGEST_THOUGHT),
        };
        Duration::from_millis(ms as u64)
    }

    /// How long it takes before it sends a request again that was cut off.
    pub(crate) fn pause_before_retry(&mut self) -> Duration {
        Duration::from_millis(100 + self.random.below(LONGEST_TOOL) as u64)
    }

    /// Which of so many replicas serves the next turn.
    pub(crate) fn replica(&mut self, replicas: usize) -> usize {
        self.random.below(replicas)
    }
}

/// A message of the model that begins with a thought; any other as it is.
fn thoughtful(mut message: Value) -> Value {
    if message["role"] != "assistant" {
        return message;
    }
    if let Value::String(text) = &message["content"] {
        message["content"] = json!([{"type": "text", "text": text}]);
    }
    let thought = json!({"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmF0dXJl"});
    if let Value::Array(parts) = &mut message["content"] {
        parts.insert(0, thought);
    }
    message
}

#[cfg(test)]
mod tests {
    use headroom_shared::contract::model::Model;

    use super::*;

    #[test]
    fn some_sessions_are_cached_some_bind_thinking_and_a_seed_gives_the_same() {
        let source = Source {
            sessions: recorded::made_up(),
            name: String::new(),
        };
        let mut kinds = Vec::new();
        for number in 0..60 {
            let mut whole = [Vec::new(), Vec::new()];
            for body in &mut whole {
                let (mut conversation, mut play) = source.session(number, 7);
                while play.grow(&mut conversation) {}
                *body = conversation.body().bytes;
                let bound = Model::named(&conversation.model).binds_thinking
                    && conversation.messages.iter().any(Message::thinks);
                kinds.push((play.may_be_cached, bound));
            }
            assert_eq!(whole[0], whole[1]);
        }
        for kind in [(false, false), (false, true), (true, false), (true, true)] {
            assert!(kinds.contains(&kind), "{kind:?}");
        }
    }
}
