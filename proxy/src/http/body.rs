//! Reading a request's body whole.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use crate::http::settings::HTTP;

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is larger than the bound.
    TooLarge,
    /// The client stopped sending it or sent nonsense.
    Broken,
}

/// A body of this size that comes in one piece is not copied out of the buffer it was read into, which may be a few times as
/// large.
const AS_IT_CAME: usize = 64 << 10;
/// How many times what has come of a body is reserved when its buffer is full.
const GROWTH: usize = 8;

/// Reads the body of a request with these headers into one piece of at most `limit` bytes.
pub(crate) async fn read(
    mut body: Body,
    headers: &HeaderMap,
    limit: usize,
) -> Result<Bytes, Unread> {
    let announced = body.size_hint().lower() > limit as u64;
    if announced && waits(headers) {
        return Err(Unread::TooLarge);
    }
    let whole = if announced {
        Err(Unread::TooLarge)
    } else {
        read_at_most(&mut body, limit).await
    };
    if matches!(whole, Err(Unread::TooLarge)) {
        let most = limit.saturating_mul(HTTP.client.discard_times);
        let _ = tokio::time::timeout(HTTP.client.discard_timeout, discard(body, most)).await;
    }
    whole
}

/// Whether the client sends its body only when it is told to go on: when the body is first asked for.
fn waits(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Reads on and keeps nothing, up to `most` bytes.
async fn discard(mut body: Body, most: usize) {
    let mut left = most;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

async fn read_at_most(body: &mut Body, limit: usize) -> Result<Bytes, Unread> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(0);
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
            continue;
        };
        if whole.is_empty() && data.len() == announced && announced >= AS_IT_CAME {
            return Ok(data);
        }
        let length = whole.len() + data.len();
        if length > limit {
            return Err(Unread::TooLarge);
        }
        if length > whole.capacity() {
            // Who announces much and sends little holds little.
            let bound = HTTP
                .client
                .first_body_buffer
                .max(whole.len().saturating_mul(GROWTH));
            whole.reserve(announced.min(bound).max(length) - whole.len());
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
