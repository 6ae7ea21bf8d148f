//! An agent that sends its conversation turn by turn, and checks at each turn what the proxy made of it.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::conversation::{Body, Conversation};
use crate::forms::{Allowed, Forms, check_expansion};
use crate::provider::Provider;
use crate::stage::Stage;
use crate::wait;

/// Longer than a result takes to land once it is there.
const TURNS: usize = 30;

/// The agent.
#[derive(Debug)]
pub struct Client {
    /// Its conversation.
    pub conversation: Conversation,
    /// What may become of what it sent before.
    pub allowed: Allowed,
    /// What it sent so far.
    pub forms: Forms,
    turn: usize,
}

/// What became of one turn.
#[derive(Debug)]
pub struct Turn {
    /// What it was sent with as `x-test-id`.
    pub id: String,
    /// The proxy's decision.
    pub decision: String,
    /// Why a prefix that was left to a worker has landed or not; empty where there is none.
    pub reason: String,
    /// The proxy's id of the request.
    pub request: String,
    /// How many bytes it says that it saved.
    pub saved: String,
    /// What the client sent.
    pub sent: Body,
    /// What the provider got.
    pub got: Bytes,
    /// From the moment the client began to send until the provider had all of it.
    pub way: Duration,
}

/// A request whose proxy was gone before it had answered.
#[derive(Debug)]
pub struct Gone {
    /// What it was sent with as `x-test-id`.
    pub id: String,
    /// What the client sent.
    pub sent: Body,
}

impl Client {
    /// An agent whose requests the provider may cache.
    #[must_use]
    pub fn new(conversation: Conversation) -> Self {
        Self {
            conversation,
            allowed: Allowed::default(),
            forms: Forms::default(),
            turn: 0,
        }
    }

    /// An agent of whose requests the provider caches nothing.
    #[must_use]
    pub fn uncached(conversation: Conversation) -> Self {
        Self {
            allowed: Allowed {
                landing: true,
                ..Allowed::default()
            },
            ..Self::new(conversation.unmarked())
        }
    }

    /// Lets the conversation grow.
    pub fn grow(&mut self, add: impl FnOnce(Conversation) -> Conversation) {
        let empty = Conversation::new(self.conversation.dialect, "");
        self.conversation = add(std::mem::replace(&mut self.conversation, empty));
    }

    /// Sends the conversation as it is now.
    ///
    /// # Panics
    /// When the provider got anything but the client's bytes with blocks replaced by forms that may stand there.
    pub async fn turn(&mut self, stage: &Stage) -> Turn {
        let sent = self.send(&stage.addr(), &stage.provider).await;
        let turn = sent.expect("an answer");
        if let Err(error) = self.check(&turn) {
            panic!("{error}");
        }
        turn
    }

    /// Sends the conversation as it is now to the proxy that listens at `addr`; what became of it is to be checked.
    ///
    /// # Errors
    /// When the proxy is gone before it has answered.
    ///
    /// # Panics
    /// When the answer is not 200.
    pub async fn send(&mut self, addr: &str, provider: &Provider) -> Result<Turn, Gone> {
        self.turn += 1;
        let id = format!("{}/{}", self.conversation.id, self.turn);
        let sent = self.conversation.body();
        let call = self.conversation.call_with(&sent).header("x-test-id", &id);
        let begun = Instant::now();
        let Ok(answer) = wait::soon("an answer's head", call.try_send(addr)).await else {
            return Err(Gone { id, sent });
        };
        assert_eq!(answer.status(), 200, "{id}");
        let decision = answer.decision();
        let reason = answer.header("x-headroom-reason").to_owned();
        let request = answer.header("x-headroom-request-id").to_owned();
        let saved = answer.header("x-headroom-bytes-saved").to_owned();
        if answer.try_bytes().await.is_err() {
            return Err(Gone { id, sent });
        }
        let got = provider.with_id(&id).await;
        Ok(Turn {
            id,
            decision,
            reason,
            request,
            saved,
            sent,
            got: got.body,
            way: got.at.saturating_duration_since(begun),
        })
    }

    /// Checks the turn that was sent last.
    ///
    /// # Errors
    /// When the provider got anything but the client's bytes with blocks replaced by forms that may stand there, or the answer
    /// says something else of it.
    pub fn check(&mut self, turn: &Turn) -> Result<(), String> {
        let here = format!("{} ({})", turn.id, turn.decision);
        self.observe(&turn.sent, &turn.got)
            .map_err(|error| format!("{here}: {error}"))?;
        let fewer = turn.sent.bytes.len().saturating_sub(turn.got.len());
        if turn.saved != fewer.to_string() {
            return Err(format!("{here}: {} bytes saved, not {fewer}", turn.saved));
        }
        if (turn.decision == "compressed") != (turn.sent.bytes != turn.got) {
            return Err(format!("{here}: that is not what became of it"));
        }
        Ok(())
    }

    /// Takes in what the provider got for a body.
    ///
    /// # Errors
    /// When it is not the client's bytes with blocks replaced by forms that may stand there.
    pub fn observe(&mut self, sent: &Body, got: &[u8]) -> Result<(), String> {
        let new = self
            .forms
            .observe(&self.conversation, sent, got, self.allowed)?;
        check_expansion(&self.conversation, sent, &new, self.allowed)
    }

    /// Goes on with small turns until one is sent compressed: a result lands at some turn after it is there.
    ///
    /// # Panics
    /// When none is.
    pub async fn until_compressed(&mut self, stage: &Stage) -> Turn {
        for step in 0..TURNS {
            self.grow(|it| {
                it.assistant("Understood.")
                    .user(&format!("Go on with step {step}."))
            });
            let turn = self.turn(stage).await;
            if turn.decision == "compressed" {
                return turn;
            }
        }
        panic!("nothing landed in {TURNS} turns: {}", stage.stats().await)
    }
}
