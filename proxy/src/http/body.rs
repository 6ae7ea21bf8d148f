//! Reads a request's whole body into memory.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use crate::http::settings;

/// Why a body could not be read.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// It is larger than the limit.
    TooLarge,
    /// The client stopped sending it, or sent it in a way that can't be read.
    Incomplete,
}

/// A body of at least this size that comes in one piece is not copied out of the buffer it was read into, which may be a few times as
/// large.
const MIN_UNCOPIED: usize = 64 << 10;
/// When a body's buffer is full, it grows to at most so many times its size.
const GROWTH: usize = 8;

/// Reads the body of a request with these headers into one piece of at most `limit` bytes.
pub(crate) async fn read(
    mut body: Body,
    headers: &HeaderMap,
    limit: usize,
) -> Result<Bytes, BodyError> {
    let is_too_large = body.size_hint().lower() > limit as u64;
    if is_too_large && expects_continue(headers) {
        return Err(BodyError::TooLarge);
    }
    let whole = if is_too_large {
        Err(BodyError::TooLarge)
    } else {
        read_at_most(&mut body, limit).await
    };
    if matches!(whole, Err(BodyError::TooLarge)) {
        let discarded = discard(body, limit.saturating_mul(settings::DISCARD_TIMES));
        let _ = tokio::time::timeout(settings::DISCARD_TIMEOUT, discarded).await;
    }
    whole
}

/// Whether the client sends its body only after `100 Continue`, which the server sends when the body is first read.
fn expects_continue(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Reads up to `limit` bytes and throws them away.
async fn discard(mut body: Body, limit: usize) {
    let mut remaining = limit;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match remaining.checked_sub(length) {
            Some(rest) => remaining = rest,
            None => return,
        }
    }
}

async fn read_at_most(body: &mut Body, limit: usize) -> Result<Bytes, BodyError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(0);
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Incomplete)?.into_data() else {
            continue;
        };
        if whole.is_empty() && data.len() == announced && announced >= MIN_UNCOPIED {
            return Ok(data);
        }
        let length = whole.len() + data.len();
        if length > limit {
            return Err(BodyError::TooLarge);
        }
        if length > whole.capacity() {
            // A client that announces much and sends little must not take much memory.
            let bound = settings::FIRST_BODY_BUFFER.max(whole.len().saturating_mul(GROWTH));
            whole.reserve(announced.min(bound).max(length) - whole.len());
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
