//! An agent that sends its conversation turn by turn, and checks at each turn what the proxy made of it.

use bytes::Bytes;

use crate::conversation::{Body, Conversation};
use crate::forms::{Forms, check_expansion};
use crate::stage::Stage;

/// Longer than a result takes to land once it is there.
const TURNS: usize = 30;

/// The agent.
#[derive(Debug)]
pub struct Client {
    /// Its conversation.
    pub conversation: Conversation,
    /// Whether the provider has certainly nothing of it in its cache.
    pub may_land: bool,
    /// What it sent so far.
    pub forms: Forms,
    turn: usize,
}

/// What became of one turn.
#[derive(Debug)]
pub struct Turn {
    /// The proxy's decision.
    pub decision: String,
    /// The proxy's id of the request.
    pub request: String,
    /// What the client sent.
    pub sent: Body,
    /// What the provider got.
    pub got: Bytes,
}

impl Client {
    /// An agent whose requests the provider may cache.
    #[must_use]
    pub fn new(conversation: Conversation) -> Self {
        Self {
            conversation,
            may_land: false,
            forms: Forms::default(),
            turn: 0,
        }
    }

    /// An agent of whose requests the provider caches nothing.
    #[must_use]
    pub fn uncached(conversation: Conversation) -> Self {
        Self {
            may_land: true,
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
        self.turn += 1;
        let id = format!("{}/{}", self.conversation.id, self.turn);
        let sent = self.conversation.body();
        let call = self.conversation.call_with(&sent).header("x-test-id", &id);
        let answer = stage.send(&call).await;
        assert_eq!(answer.status(), 200, "{id}");
        let decision = answer.decision();
        let request = answer.header("x-headroom-request-id").to_owned();
        let saved = answer.header("x-headroom-bytes-saved").to_owned();
        answer.bytes().await;
        let got = stage.provider.with_id(&id).await.body;
        let checked = self
            .forms
            .observe(&self.conversation, &sent, &got, self.may_land)
            .and_then(|new| check_expansion(&self.conversation, &sent, &new));
        if let Err(error) = checked {
            panic!("{id} ({decision}): {error}");
        }
        let fewer = sent.bytes.len().saturating_sub(got.len());
        assert_eq!(saved, fewer.to_string(), "{id} ({decision}): bytes saved");
        assert_eq!(
            decision == "compressed",
            sent.bytes != got,
            "{id}: {decision}"
        );
        Turn {
            decision,
            request,
            sent,
            got,
        }
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
