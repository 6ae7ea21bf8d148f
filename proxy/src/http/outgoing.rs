//! A request that is ready to go out.

use std::fmt;

use bytes::Bytes;

use crate::http::thinking_retry::ThinkingRetry;
use crate::http::wire_body::WireBody;
use crate::jobs::PendingJob;
use crate::metrics::{Decision, TextBytes};
use crate::plan::splice::Rope;
use crate::usage::OutcomeCallback;

/// A request's body, and what goes with it.
pub(crate) struct Outgoing {
    pub(crate) body: WireBody,
    pub(crate) decision: Decision,
    pub(crate) text: TextBytes,
    /// What becomes of the prefix that was left to a worker, in a word.
    pub(crate) reason: Option<&'static str>,
    /// Whether it asks the provider to drop thinking that is bound to something else.
    pub(crate) drops_thinking: bool,
    /// The job that is pushed for it.
    pub(crate) job: Option<PendingJob>,
    /// Called with the request's outcome.
    pub(crate) on_outcome: Option<OutcomeCallback>,
    /// In place of `on_outcome` for a request whose thinking the provider may refuse.
    pub(crate) retry: Option<ThinkingRetry>,
}

impl Outgoing {
    /// The body as it was received, and not decoded.
    pub(crate) fn as_received(received: &Bytes, decision: Decision) -> Self {
        let body = WireBody::unchanged(Rope::from(received.clone()));
        let text = TextBytes::unchanged(received.len());
        Self::new(body, decision, text)
    }

    /// The body as it was received, which was decoded to so many bytes.
    pub(crate) fn with_unchanged_text(received: &Bytes, text: usize) -> Self {
        Self {
            text: TextBytes::unchanged(text),
            ..Self::as_received(received, Decision::Forwarded)
        }
    }

    /// A body with forms in it.
    pub(crate) const fn spliced(body: WireBody, text: TextBytes) -> Self {
        Self::new(body, Decision::Compressed, text)
    }

    /// A body without forms that asks the provider to drop thinking that is bound to something else.
    pub(crate) const fn dropping_thinking(body: WireBody, text: TextBytes) -> Self {
        let mut outgoing = Self::new(body, Decision::Forwarded, text);
        outgoing.drops_thinking = true;
        outgoing
    }

    const fn new(body: WireBody, decision: Decision, text: TextBytes) -> Self {
        Self {
            body,
            decision,
            text,
            reason: None,
            drops_thinking: false,
            job: None,
            on_outcome: None,
            retry: None,
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("decision", &self.decision)
            .finish_non_exhaustive()
    }
}
