//! A request that is ready to go out.

use std::fmt;

use bytes::Bytes;
use headroom_shared::contract::id::PrefixId;

use crate::http::scannable_body::ScannableBody;
use crate::http::thinking_retry::ThinkingRetry;
use crate::http::wire_body::WireBody;
use crate::jobs::PendingJob;
use crate::metrics::model_family::ModelFamily;
use crate::metrics::uncompressed::Uncompressed;
use crate::metrics::{Decision, TextBytes};
use crate::plan::skip_reason::SkipReason;
use crate::plan::splice::Rope;
use crate::usage::OutcomeCallback;

/// A request's body, and what goes with it.
pub(crate) struct Outgoing {
    pub(crate) body: WireBody,
    pub(crate) decision: Decision,
    pub(crate) text: TextBytes,
    /// Why it has no forms, where it has none.
    pub(crate) uncompressed: Option<Uncompressed>,
    /// The family of the model that it names.
    pub(crate) family: ModelFamily,
    /// What becomes of the prefix that was left to a worker, in a word.
    pub(crate) reason: Option<&'static str>,
    /// The prefix whose result lands in it.
    pub(crate) landed: Option<PrefixId>,
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
    pub(crate) fn as_received(received: &Bytes, why: Uncompressed) -> Self {
        let body = WireBody::unchanged(Rope::from(received.clone()));
        let text = TextBytes::unchanged(received.len());
        let decision = match why {
            Uncompressed::Bypass => Decision::Bypassed,
            _ => Decision::Forwarded,
        };
        Self::new(body, decision, text).because(why)
    }

    /// The body as it was received, which was decoded to this one.
    pub(crate) fn with_unchanged_text(
        received: &Bytes,
        body: &ScannableBody,
        why: Uncompressed,
    ) -> Self {
        Self {
            text: TextBytes::unchanged(body.bytes.len()),
            family: body.family,
            ..Self::as_received(received, why)
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
        outgoing.because(Uncompressed::Skipped(SkipReason::ConversationLost))
    }

    const fn because(mut self, why: Uncompressed) -> Self {
        self.uncompressed = Some(why);
        self
    }

    const fn new(body: WireBody, decision: Decision, text: TextBytes) -> Self {
        Self {
            body,
            decision,
            text,
            uncompressed: None,
            family: ModelFamily::Other,
            reason: None,
            landed: None,
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
