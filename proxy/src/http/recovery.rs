//! A second try for a request whose thinking the provider refuses: the forms that it was bound to are not known any more.

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::dialect::prefix_mismatch;
use crate::http::encoding;
use crate::metrics::Counts;
use crate::plan::splice::Rope;
use crate::records::sent_turn::SentTurn;
use crate::upstream::ResponseBody;
use crate::usage::Done;

/// The longest answer that is read before it is passed on, in bytes.
const LONGEST: usize = 64 << 10;

/// A request on its way that may be refused so.
#[derive(Debug)]
pub(crate) struct Recovery {
    /// Its body as the client meant it: without content encoding, and without forms.
    body: Bytes,
    sent: SentTurn,
}

impl Recovery {
    /// The recovery of a request with this body.
    pub(crate) const fn new(body: Bytes, sent: SentTurn) -> Self {
        Self { body, sent }
    }

    /// The body of the second try, if this answer asks for one. It is still whole otherwise.
    pub(crate) async fn second_try(&self, answer: &mut Response<ResponseBody>) -> Option<Rope> {
        if answer.status() != StatusCode::BAD_REQUEST {
            return None;
        }
        let said = answer.body_mut().peek(LONGEST).await?;
        let said = encoding::decoded(&said, answer.headers(), LONGEST)?;
        if !prefix_mismatch::is_refusal(&said) {
            return None;
        }
        let drop_block = prefix_mismatch::drop_block(&self.body)?;
        Some(Rope::splice(&self.body, [drop_block]))
    }

    /// Who is told what the answer says of the cache, where there was no second try, or one in vain.
    pub(crate) fn heard(self) -> Done {
        Box::new(|usage| self.sent.answered(usage))
    }

    /// The same where the second try succeeded: the conversation is noted as lost.
    pub(crate) fn lost(self, counts: &Counts) -> Done {
        counts.conversations_lost.inc();
        tracing::warn!(
            "the provider refused thinking that is bound to other forms than are known here, and took the request with such thinking dropped: its conversation goes on uncompressed until its next compaction. If the agent did not edit its history itself, the store has lost data: see that Redis keeps it (maxmemory-policy noeviction, appendonly yes), or that HEADROOM_DATA_DIR is kept"
        );
        Self {
            sent: self.sent.lost(),
            ..self
        }
        .heard()
    }
}
