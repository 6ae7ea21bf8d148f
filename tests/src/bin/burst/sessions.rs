//! The sessions, each from its cold start on.
//!
//! All are in the dialect Messages and without cache marks: there a provider caches only what is marked, so a result may be
//! used on the very next turn, and a turn that goes out uncompressed is one that the queue was too late for.

use headroom_tests::client::{Client, Turn};
use headroom_tests::conversation::recorded::{self, Playing, Step};
use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::forms::shrinks;
use headroom_tests::retrieval::tools;
use headroom_tests::stage::Stage;
use serde_json::json;

use crate::prose::prose;

/// The share of a recorded session, in percent of its turns, that happened before its cold start.
const BEFORE: usize = 40;
/// Recorded cold starts above that are left out: here the queue is under test, and not how fast one machine moves bytes
/// between all that runs on it.
const LARGEST: usize = 64_000;
/// Files that a generated session has read before its cold start, and about how long each is, in bytes.
const FILES: usize = 4;
const FILE_BYTES: usize = 10_000;
/// Texts that a session of prose begins with, and about how long each is, in bytes: some 2,300 tokens in all, for which a model of the size of
/// Kompress needs some 4 s of one core.
const TEXTS: usize = 3;
const TEXT_BYTES: usize = 3_400;

/// Where the sessions come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// From real agents.
    Recorded(Vec<recorded::Session>),
    /// From nowhere: there are no recordings beside the checkout.
    Generated,
    /// From nowhere, for a model: what users and other agents say at length.
    Prose,
}

impl Source {
    /// The recorded sessions that fit, or the generated ones.
    pub(crate) fn find() -> Self {
        let mut found = recorded::recorded().unwrap_or_default();
        found.retain(|session| {
            session.dialect == Dialect::Messages && Session::recorded(session, 0).fits()
        });
        if found.is_empty() {
            Self::Generated
        } else {
            Self::Recorded(found)
        }
    }

    /// What it is, for people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Recorded(sessions) => format!("{} recorded ones, in turn", sessions.len()),
            Self::Generated => "generated ones".to_owned(),
            Self::Prose => "generated ones of prose".to_owned(),
        }
    }

    /// The session with this number. No two have a prefix in common.
    pub(crate) fn session(&self, number: usize) -> Session {
        match self {
            Self::Recorded(sessions) => {
                Session::recorded(&sessions[number % sessions.len()], number)
            }
            Self::Generated => Session::generated(number),
            Self::Prose => Session::prose(number),
        }
    }
}

/// An agent that is about to send its cold start.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    /// What was recorded after the cold start.
    rest: Option<Playing>,
    /// Turns since the cold start.
    turns: usize,
}

impl Session {
    fn generated(number: usize) -> Self {
        let conversation = Conversation::new(Dialect::Messages, &format!("session-{number}"))
            .user(&format!("Find bug {number}."));
        let files = number * FILES..(number + 1) * FILES;
        let conversation = files
            .fold(conversation, |it, file| it.reads(file, FILE_BYTES))
            .assistant("Found it.")
            .user("Fix it.");
        Self::new(conversation, None)
    }

    fn prose(number: usize) -> Self {
        let text = |nth: usize| prose((number * TEXTS + nth) as u64, TEXT_BYTES);
        let mut conversation = Conversation::new(Dialect::Messages, &format!("prose-{number}"));
        conversation.tools = tools(Dialect::Messages);
        let conversation = conversation.user(&format!("Plan {number}.\n{}", text(0)));
        let conversation = (1..TEXTS)
            .fold(conversation, |it, nth| {
                let input =
                    json!({"description": "Report", "prompt": format!("Look at part {nth}.")});
                it.tool("Task", &input, &text(nth))
            })
            .assistant("Understood.")
            .user("Begin.");
        let mut session = Self::new(conversation, None);
        session.client.allowed.shortening = true;
        session
    }

    fn recorded(recorded: &recorded::Session, number: usize) -> Self {
        let is_turn = |step: &&Step| matches!(step, Step::Turn(_));
        let turns = recorded.steps.iter().filter(is_turn).count();
        let (mut conversation, mut playing) = Playing::begin(recorded, number);
        for _ in 0..=turns * BEFORE / 100 {
            playing.next_turn(&mut conversation);
        }
        Self::new(conversation, Some(playing))
    }

    fn new(conversation: Conversation, rest: Option<Playing>) -> Self {
        // What was written once is written again at once, when the clock runs.
        let _ = conversation.body();
        Self {
            client: Client::uncached(conversation),
            rest,
            turns: 0,
        }
    }

    /// Whether the cold start is not too large, and a worker makes something of it.
    fn fits(&self) -> bool {
        let conversation = &self.client.conversation;
        let body = conversation.body();
        body.bytes.len() <= LARGEST && shrinks(conversation, &body)
    }

    /// Sends the next turn: the recorded one, or small talk when the recording is over.
    pub(crate) async fn next_turn(&mut self, stage: &Stage) -> Turn {
        self.turns += 1;
        if !self.recorded_turn() {
            let turn = self.turns;
            self.client
                .grow(|it| it.assistant("Done.").user(&format!("Go on, part {turn}.")));
        }
        self.client.turn(stage).await
    }

    /// Adds what was recorded up to the next turn; false if the recording has no further one. A compaction would begin another
    /// prefix, and so another cold start: there the recording ends, too.
    fn recorded_turn(&mut self) -> bool {
        self.rest = self.rest.take().filter(|rest| !rest.resets_next());
        let conversation = &mut self.client.conversation;
        self.rest
            .as_mut()
            .is_some_and(|rest| rest.next_turn(conversation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_have_no_prefix_in_common() {
        let first = |number| {
            let session = Source::Generated.session(number);
            session.client.conversation.messages[0].value.clone()
        };
        assert_ne!(first(0), first(1));
    }

    #[test]
    fn generated_sessions_fit() {
        assert!(Source::Generated.session(7).fits());
    }
}
