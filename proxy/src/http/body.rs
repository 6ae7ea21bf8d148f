//! Reads a request's whole body into memory.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;

use crate::http::body_timeout::Stalled;
use crate::http::settings;
use crate::memory::MemoryBudget;

/// A body of a request, as far as it was read.
#[derive(Debug)]
pub(crate) enum ReceivedBody {
    /// All of it.
    Whole(Bytes),
    /// What was read before there was no memory for more, and the rest.
    OverBudget(Body),
}

/// Why a body could not be read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BodyError {
    /// It is larger than the limit.
    TooLarge,
    /// The client stopped sending it, or sent it in a way that can't be read.
    Incomplete,
    /// Nothing more of it came for too long.
    Stalled,
}

impl From<&axum::Error> for BodyError {
    fn from(error: &axum::Error) -> Self {
        if anyhow::Chain::new(error).any(|cause| cause.is::<Stalled>()) {
            Self::Stalled
        } else {
            Self::Incomplete
        }
    }
}

/// A body of at least this size that comes in one piece is not copied out of the buffer it was read into, which may be a few times as
/// large.
const MIN_UNCOPIED: usize = 64 << 10;
/// When a body's buffer is full, it grows to at most so many times its size.
const GROWTH: usize = 8;

/// Reads the body of a request with these headers into one piece of at most `limit` bytes, which holds its memory of the budget.
pub(crate) async fn read(
    mut body: Body,
    headers: &HeaderMap,
    (limit, budget): (usize, &MemoryBudget),
) -> Result<ReceivedBody, BodyError> {
    let is_too_large = body.size_hint().lower() > limit as u64;
    if is_too_large && expects_continue(headers) {
        return Err(BodyError::TooLarge);
    }
    let read = if is_too_large {
        Err(BodyError::TooLarge)
    } else {
        read_at_most(&mut body, limit, budget).await
    };
    match read {
        Ok(Read::Whole(whole)) => Ok(ReceivedBody::Whole(whole)),
        Ok(Read::Beginning(read)) => {
            let body = ResumedBody::new(read, body);
            Ok(ReceivedBody::OverBudget(Body::new(body)))
        }
        Err(error) => {
            if matches!(error, BodyError::TooLarge) {
                discard(body, limit).await;
            }
            Err(error)
        }
    }
}

/// Whether the client sends its body only after `100 Continue`, which the server sends when the body is first read.
fn expects_continue(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Reads on and keeps nothing: a client reads a response only when it has sent its request. A body that is far larger than `limit`, or
/// takes long, is given up.
pub(super) async fn discard(mut body: Body, limit: usize) {
    let mut left = limit.saturating_mul(settings::DISCARD_TIMES);
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    let _ = tokio::time::timeout(settings::DISCARD_TIMEOUT, read).await;
}

/// What was read of a body.
enum Read {
    Whole(Bytes),
    /// As much as there was memory for.
    Beginning(VecDeque<Bytes>),
}

async fn read_at_most(
    body: &mut Body,
    limit: usize,
    budget: &MemoryBudget,
) -> Result<Read, BodyError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(0);
    let Ok(mut memory) = budget.body() else {
        return Ok(Read::Beginning(VecDeque::new()));
    };
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| BodyError::from(&error))?.into_data() else {
            continue;
        };
        let is_whole = whole.is_empty() && data.len() == announced;
        let length = whole.len() + data.len();
        if length > limit {
            return Err(BodyError::TooLarge);
        }
        if length > whole.capacity() {
            let capacity = capacity_for(length, whole.len(), announced);
            if memory.grow(capacity - whole.capacity()).is_err() {
                let read = memory.held_by(whole);
                return Ok(Read::Beginning([read, data].into()));
            }
            if is_whole && announced >= MIN_UNCOPIED {
                return Ok(Read::Whole(memory.held_by(data)));
            }
            whole.reserve_exact(capacity - whole.len());
        }
        whole.extend_from_slice(&data);
    }
    Ok(Read::Whole(memory.held_by(whole)))
}

/// A body that keeps a value until it is dropped.
pub(super) fn keeping<T: Send + 'static>(
    body: Body,
    kept: T,
) -> impl http_body::Body<Data = Bytes, Error = axum::Error> + Send + 'static {
    body.inspect_frame(move |_| {
        let _ = &kept;
    })
}

/// How large a buffer is made that must hold `length` bytes, holds `read` of them, and will hold `announced`. Who announces much and sends
/// little holds little.
pub(super) fn capacity_for(length: usize, read: usize, announced: usize) -> usize {
    let bound = settings::FIRST_BODY_BUFFER.max(read.saturating_mul(GROWTH));
    announced.min(bound).max(length)
}

/// A body of which the beginning was read before.
struct ResumedBody {
    read: VecDeque<Bytes>,
    rest: Body,
}

impl ResumedBody {
    fn new(mut read: VecDeque<Bytes>, rest: Body) -> Self {
        read.retain(|data| !data.is_empty());
        Self { read, rest }
    }
}

impl http_body::Body for ResumedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.read.pop_front() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read: u64 = self.read.iter().map(|data| data.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(read + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(read + upper);
        }
        hint
    }
}
