//! What goes wrong between a request and the end of its answer.

use std::io;

use super::answer_head::MOST_HEAD;
use crate::http1::BadChunk;

/// Why a request got no answer, or not all of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The client did not send its request's body to the end.
    #[error("the request's body broke off")]
    Request(#[source] axum::Error),
    /// The request's body has another length than its head says.
    #[error("the request's body is not as long as it says")]
    RequestLength,
    /// The provider takes no more, and has not answered.
    #[error("the request could not be written")]
    Write(#[source] io::Error),
    /// The connection broke.
    #[error("the answer could not be read")]
    Read(#[source] io::Error),
    /// The provider closed the connection and had not answered.
    #[error("the connection was closed before an answer came")]
    Closed,
    /// The provider closed the connection in the middle of its answer.
    #[error("the connection was closed before all of the answer came")]
    CutOff,
    /// The answer's head is no head of HTTP/1.
    #[error("the answer's head can't be read")]
    Head(#[source] httparse::Error),
    /// The answer's head has a status, a name or a value that HTTP does not allow.
    #[error("the answer's head has a status or a field that HTTP does not allow")]
    Field,
    /// The answer's head is too long.
    #[error("the answer's head is longer than {MOST_HEAD} bytes")]
    LongHead,
    /// The answer has no length that can be relied on.
    #[error("the answer's content-length is no number, or more than one")]
    Length,
    /// The answer has a transfer coding in a version of HTTP that has none.
    #[error("the answer has a transfer coding, which HTTP/1.0 does not know")]
    Coding,
    /// The answer's chunks make no sense.
    #[error("the answer's chunks can't be read")]
    Chunk(#[source] BadChunk),
}
