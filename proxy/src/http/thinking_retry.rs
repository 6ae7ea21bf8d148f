//! Sends a request once more where the provider refuses its thinking, because it is bound to forms that are not known any more: without
//! forms, and asking the provider to drop that thinking.

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::content_encoding::{Coding, decoded};
use crate::dialect::prefix_mismatch;
use crate::memory::MemoryBudget;
use crate::metrics::Counts;
use crate::plan::splice::Rope;
use crate::records::sent_request::SentRequest;
use crate::upstream::ResponseBody;
use crate::usage::OutcomeCallback;

/// The longest response that is read before it is passed on, in bytes.
const MAX_RESPONSE: usize = 64 << 10;

/// What it takes to retry a request whose thinking may be refused.
#[derive(Debug)]
pub(crate) struct ThinkingRetry {
    /// Its body as the client meant it: without content encoding, and without forms.
    body: Bytes,
    /// The encoding that it was received in, if any.
    pub(crate) coding: Option<Coding>,
    sent: SentRequest,
}

impl ThinkingRetry {
    pub(crate) const fn new(body: Bytes, coding: Option<Coding>, sent: SentRequest) -> Self {
        Self { body, coding, sent }
    }

    /// The text of the retry, if this response is such a refusal. A response of any other kind can still be read from its start.
    pub(crate) async fn retry_text(
        &self,
        response: &mut Response<ResponseBody>,
        memory: &MemoryBudget,
    ) -> Option<Rope> {
        if response.status() != StatusCode::BAD_REQUEST {
            return None;
        }
        let refusal = response.body_mut().peek(MAX_RESPONSE).await?;
        let refusal = decoded(&refusal, response.headers(), (MAX_RESPONSE, memory))?;
        if !prefix_mismatch::is_refusal(&refusal) {
            return None;
        }
        let drop_block = prefix_mismatch::drop_block(&self.body)?;
        Some(Rope::splice(&self.body, [drop_block]))
    }

    /// For the request's outcome, where there was no retry, or one that failed.
    pub(crate) fn on_outcome(self) -> OutcomeCallback {
        Box::new(|outcome| self.sent.note_outcome(outcome))
    }

    /// The same where the retry succeeded: the conversation is noted as lost.
    pub(crate) fn on_outcome_of_retry(self, counts: &Counts) -> OutcomeCallback {
        counts.conversations_lost.inc();
        tracing::warn!(
            "the provider refused thinking that is bound to other forms than are known here, and took the request with such thinking dropped: its conversation goes on uncompressed until its next compaction. If the agent did not edit its history itself, the store has lost data: see that Redis keeps it (maxmemory-policy noeviction, appendonly yes), or that HEADROOM_DATA_DIR is kept"
        );
        let sent = self.sent.mark_lost();
        Box::new(|outcome| sent.note_outcome(outcome))
    }
}
