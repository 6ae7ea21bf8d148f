//! A request that is ready to go out.

use std::fmt;

use bytes::Bytes;

use crate::http::thinking_retry::ThinkingRetry;
use crate::jobs::PendingJob;
use crate::metrics::Decision;
use crate::plan::splice::Rope;
use crate::usage::OutcomeCallback;

/// A request's body, and what goes with it.
pub(crate) struct Outgoing {
    pub(crate) rope: Rope,
    pub(crate) decision: Decision,
    pub(crate) bytes_saved: usize,
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
    /// The body as it was received.
    pub(crate) fn as_received(received: &Bytes, decision: Decision) -> Self {
        Self::new(Rope::from(received.clone()), decision, 0)
    }

    /// A body with forms in it.
    pub(crate) fn spliced(body: &Bytes, rope: Rope) -> Self {
        let bytes_saved = body.len().saturating_sub(rope.len());
        Self::new(rope, Decision::Compressed, bytes_saved)
    }

    /// A body without forms that asks the provider to drop thinking that is bound to something else.
    pub(crate) fn dropping_thinking(rope: Rope) -> Self {
        Self {
            drops_thinking: true,
            ..Self::new(rope, Decision::Forwarded, 0)
        }
    }

    /// Whether its body is without the content encoding of the one that was received.
    pub(crate) fn is_decoded(&self) -> bool {
        self.drops_thinking || self.decision == Decision::Compressed
    }

    fn new(rope: Rope, decision: Decision, bytes_saved: usize) -> Self {
        Self {
            rope,
            decision,
            bytes_saved,
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
