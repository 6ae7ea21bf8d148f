//! What the page shows besides counts: the last requests, the conversations that they belong to, and, where that is allowed, what the blocks
//! of the last conversations look like.

mod conversations;
pub(crate) mod texts;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use headroom_shared::contract::bill::Bill;
use serde::Serialize;
use uuid::Uuid;

use self::conversations::Conversations;
pub(crate) use self::conversations::{Conversation, ConversationId};
use self::texts::Texts;
use crate::scan::Scan;

/// So many requests are remembered.
const MAX_TURNS: usize = 2_000;

/// The last requests and conversations of one process. It is shared by its clones.
#[derive(Debug, Clone)]
pub(crate) struct Activity {
    state: Arc<Mutex<State>>,
    /// The texts of the last conversations, where they may be shown.
    pub(crate) texts: Option<Texts>,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first.
    turns: VecDeque<Turn>,
    conversations: Conversations,
}

/// A request of a dialect, as far as is known of it by now.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Turn {
    /// `x-headroom-request-id`.
    pub(crate) id: Uuid,
    /// The conversation that it belongs to.
    pub(crate) conversation: Option<ConversationId>,
    /// The model that it names.
    pub(crate) model: Option<String>,
    /// Estimated tokens of its messages.
    pub(crate) tokens: Option<u64>,
    #[serde(flatten)]
    pub(crate) sent: Option<SentTurn>,
    /// What it cost, in dollars; `None` while that is not known.
    pub(crate) usd: Option<f64>,
    /// What it would have cost in the originals.
    pub(crate) shadow_usd: Option<f64>,
}

/// What is known of a request when its response begins.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SentTurn {
    /// When that was: milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// The request format.
    pub(crate) dialect: &'static str,
    /// The session that the client names; empty if none.
    pub(crate) session: Arc<str>,
    /// What was done with it.
    pub(crate) decision: &'static str,
    /// What became of the prefix that was left to a worker, or why nothing was compressed.
    pub(crate) reason: Option<&'static str>,
    /// Bytes of text as the client sent them.
    pub(crate) bytes_in: usize,
    /// Bytes of text that were saved.
    pub(crate) bytes_saved: usize,
    /// How long it was held before it went out, in milliseconds.
    pub(crate) added_ms: f64,
    /// The status of the response; `None` on a WebSocket.
    pub(crate) status: Option<u16>,
}

impl Activity {
    /// Nothing yet. `shows_text`: whether the texts of blocks may be kept and shown.
    pub(crate) fn new(shows_text: bool) -> Self {
        Self {
            state: Arc::default(),
            texts: shows_text.then(Texts::default),
        }
    }

    /// Notes which conversation a request belongs to, and that it goes out with these forms in this body.
    pub(crate) fn note_request(
        &self,
        (id, session): (Uuid, &str),
        scan: &Scan,
        (forms, body): (&[(usize, Bytes)], &Bytes),
    ) {
        let opening = scan.opening();
        let conversation = opening.map(|opening| ConversationId::of(opening, session));
        if let (Some(texts), Some(conversation)) = (&self.texts, conversation) {
            texts.keep(conversation, (body, scan), forms);
        }
        let (model, tokens) = (scan.model.clone(), scan.tokens());
        self.state().change(id, |turn| {
            turn.conversation = conversation;
            (turn.model, turn.tokens) = (Some(model), Some(tokens));
        });
    }

    /// Notes that the response to a request has begun.
    pub(crate) fn note_sent(&self, id: Uuid, sent: SentTurn) {
        self.state().change(id, |turn| turn.sent = Some(sent));
    }

    /// Notes what a request cost that is still remembered.
    pub(crate) fn note_bill(&self, id: Uuid, bill: Bill) {
        let mut state = self.state();
        let mut newest = state.turns.iter_mut().rev();
        let Some(turn) = newest.find(|turn| turn.id == id) else {
            return;
        };
        (turn.usd, turn.shadow_usd) = (Some(bill.usd), Some(bill.shadow_usd));
        let conversation = turn.conversation;
        state.conversations.add_bill(conversation, bill);
    }

    /// The last requests that went out, the newest first.
    pub(crate) fn last_turns(&self, limit: usize) -> Vec<Turn> {
        self.newest_turns(limit, |_| true)
    }

    /// Those of one conversation.
    pub(crate) fn turns_of(&self, conversation: ConversationId) -> Vec<Turn> {
        self.newest_turns(MAX_TURNS, |turn| turn.conversation == Some(conversation))
    }

    /// The conversations, that with the newest request first.
    pub(crate) fn conversations(&self) -> Vec<Conversation> {
        self.state().conversations.newest_first()
    }

    fn newest_turns(&self, limit: usize, wanted: impl Fn(&Turn) -> bool) -> Vec<Turn> {
        let state = self.state();
        let newest = state.turns.iter().rev();
        let sent = newest.filter(|turn| turn.sent.is_some() && wanted(turn));
        sent.take(limit).cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes more of a request, which is new or one of the last, and counts it in its conversation once both are known: its conversation, and
    /// what was sent.
    fn change(&mut self, id: Uuid, change: impl FnOnce(&mut Turn)) {
        let known = self.turns.iter().rposition(|turn| turn.id == id);
        let at = known.unwrap_or_else(|| {
            if self.turns.len() == MAX_TURNS {
                self.turns.pop_front();
            }
            self.turns.push_back(Turn::new(id));
            self.turns.len() - 1
        });
        let turn = &mut self.turns[at];
        change(turn);
        if let (Some(conversation), Some(sent)) = (turn.conversation, &turn.sent) {
            let model = turn.model.as_deref().unwrap_or_default();
            self.conversations.add_turn(conversation, model, sent);
        }
    }
}

impl Turn {
    const fn new(id: Uuid) -> Self {
        Self {
            id,
            conversation: None,
            model: None,
            tokens: None,
            sent: None,
            usd: None,
            shadow_usd: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use headroom_shared::contract::id::DigestKey;

    use super::*;
    use crate::dialect::DIALECTS;

    fn note_request(activity: &Activity, id: Uuid) {
        let body =
            br#"{"model":"one","max_tokens":9,"messages":[{"role":"user","content":"Hi."}]}"#;
        let key = DigestKey::from_bytes([7; 32]);
        let scan = crate::scan::scan(body, DIALECTS[0], &key).unwrap();
        let text = (&[][..], &Bytes::from_static(body));
        activity.note_request((id, "s"), &scan, text);
    }

    fn sent(at_ms: u64) -> SentTurn {
        SentTurn {
            at_ms,
            dialect: "messages",
            session: "s".into(),
            decision: "compressed",
            reason: None,
            bytes_in: 100,
            bytes_saved: 40,
            added_ms: 1.5,
            status: Some(200),
        }
    }

    #[test]
    fn what_is_known_of_a_request_comes_in_any_order() {
        let activity = Activity::new(false);
        let [first, second] = [1, 2].map(Uuid::from_u128);
        activity.note_sent(first, sent(5));
        note_request(&activity, first);
        note_request(&activity, second);
        activity.note_sent(second, sent(9));
        activity.note_bill(second, Bill::after(None, 0.25, 0.5).unwrap());
        let turns = activity.last_turns(10);
        assert_eq!([turns[0].id, turns[1].id], [second, first]);
        assert_eq!((turns[0].usd, turns[1].usd), (Some(0.25), None));
        let conversations = activity.conversations();
        assert_eq!(conversations.len(), 1);
        let it = &conversations[0];
        assert_eq!((it.requests, it.first_ms, it.last_ms), (2, 5, 9));
        assert_eq!((it.bytes_in, it.bytes_saved), (200, 80));
        assert_eq!((it.usd, it.shadow_usd), (0.25, 0.5));
        assert_eq!(activity.turns_of(it.id).len(), 2);
    }

    #[test]
    fn what_did_not_go_out_is_not_shown_and_the_oldest_are_forgotten() {
        let activity = Activity::new(false);
        note_request(&activity, Uuid::from_u128(1));
        assert!(activity.last_turns(10).is_empty());
        for n in 2..(MAX_TURNS as u64 + 100) {
            activity.note_sent(Uuid::from_u128(n.into()), sent(n));
        }
        assert_eq!(activity.last_turns(usize::MAX).len(), MAX_TURNS);
    }
}
