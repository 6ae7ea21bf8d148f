//! The sums of conversations.

use std::collections::BTreeMap;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;

use headroom_shared::contract::bill::Bill;
use headroom_shared::contract::id::PrefixId;
use serde::{Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_64;

use super::SentTurn;

/// So many conversations are remembered.
const MAX_CONVERSATIONS: usize = 200;

/// Names a conversation: by its messages before the model's first, and the session that the client names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConversationId(u64);

impl ConversationId {
    pub(super) fn of(opening: PrefixId, session: &str) -> Self {
        let names = [opening.as_bytes(), session.as_bytes()].concat();
        Self(xxh3_64(&names))
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for ConversationId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for ConversationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is known of a conversation since the process began.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Conversation {
    pub(crate) id: ConversationId,
    /// The session that the client names; empty if none.
    pub(crate) session: Arc<str>,
    /// The model of the last request.
    pub(crate) model: String,
    /// How many requests were seen.
    pub(crate) requests: u64,
    /// When the first of them was answered: milliseconds since 1970.
    pub(crate) first_ms: u64,
    /// The same of the last.
    pub(crate) last_ms: u64,
    /// Bytes of text as the client sent them.
    pub(crate) bytes_in: u64,
    /// Bytes of text that were saved.
    pub(crate) bytes_saved: u64,
    /// What was done with the last request.
    pub(crate) decision: &'static str,
    /// Why, in a word, where there is one.
    pub(crate) reason: Option<&'static str>,
    /// What they cost, in dollars, as far as that is known.
    pub(crate) usd: f64,
    /// What they would have cost in the originals.
    pub(crate) shadow_usd: f64,
}

#[derive(Debug, Default)]
pub(super) struct Conversations(BTreeMap<ConversationId, Conversation>);

impl Conversations {
    /// Counts a request.
    pub(super) fn add_turn(&mut self, id: ConversationId, model: &str, sent: &SentTurn) {
        let is_new = !self.0.contains_key(&id);
        let conversation = self.0.entry(id).or_insert_with(|| Conversation {
            id,
            session: Arc::clone(&sent.session),
            model: String::new(),
            requests: 0,
            first_ms: sent.at_ms,
            last_ms: sent.at_ms,
            bytes_in: 0,
            bytes_saved: 0,
            decision: sent.decision,
            reason: sent.reason,
            usd: 0.0,
            shadow_usd: 0.0,
        });
        conversation.requests += 1;
        conversation.bytes_in += sent.bytes_in as u64;
        conversation.bytes_saved += sent.bytes_saved as u64;
        if sent.at_ms >= conversation.last_ms {
            conversation.last_ms = sent.at_ms;
            model.clone_into(&mut conversation.model);
            (conversation.decision, conversation.reason) = (sent.decision, sent.reason);
        }
        if is_new && self.0.len() > MAX_CONVERSATIONS {
            let others = self.0.values().filter(|it| it.id != id);
            if let Some(oldest) = others.min_by_key(|it| it.last_ms).map(|it| it.id) {
                self.0.remove(&oldest);
            }
        }
    }

    /// Adds what a request cost.
    pub(super) fn add_bill(&mut self, id: Option<ConversationId>, bill: Bill) {
        if let Some(conversation) = id.and_then(|id| self.0.get_mut(&id)) {
            conversation.usd += bill.usd;
            conversation.shadow_usd += bill.shadow_usd;
        }
    }

    pub(super) fn newest_first(&self) -> Vec<Conversation> {
        let mut all: Vec<Conversation> = self.0.values().cloned().collect();
        all.sort_by_key(|it| std::cmp::Reverse(it.last_ms));
        all
    }
}
