//! The headers that are ours: read from requests, taken off before the provider, put on answers.

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Response, Version, header};
use uuid::Uuid;

pub(crate) use crate::http::hop_by_hop::{end_to_end, words};
use crate::metrics::Decision;

/// All headers that begin so are ours and go no further.
const OURS: &str = "x-headroom-";
const BYPASS: HeaderName = HeaderName::from_static("x-headroom-bypass");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-headroom-request-id");
const DECISION: HeaderName = HeaderName::from_static("x-headroom-decision");
const BYTES_SAVED: HeaderName = HeaderName::from_static("x-headroom-bytes-saved");

/// Where agents say which session a request belongs to; for the logs alone.
const SESSION: [&str; 3] = ["x-claude-code-session-id", "session-id", "thread-id"];

/// Names one request in answers and logs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId(Uuid);

impl RequestId {
    /// A new id; ids sort by time.
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// Puts the id on an answer, and the version that is spoken here: a provider's own is that of its hop.
    pub(crate) fn on(self, mut response: Response<Body>) -> Response<Body> {
        *response.version_mut() = Version::HTTP_11;
        if let Ok(value) = HeaderValue::from_str(&self.to_string()) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether the client wants this request forwarded untouched.
pub(crate) fn bypass(headers: &HeaderMap) -> bool {
    headers
        .get(BYPASS)
        .is_some_and(|value| value == "1" || value == "true")
}

/// The session a client names; empty if none.
pub(crate) fn session(headers: &HeaderMap) -> String {
    let named = SESSION
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok());
    named.unwrap_or_default().chars().take(64).collect()
}

/// Whether the body has a transfer coding besides `chunked`, which the server undoes: this hop knows no other, and the next
/// would not be told of it.
pub(crate) fn coded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    codings.next().is_some_and(|coding| !chunked(coding)) || codings.next().is_some()
}

/// Makes a client's headers those that go to the provider.
pub(crate) fn outgoing(headers: &mut HeaderMap) {
    end_to_end(headers);
    let ours: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(OURS))
        .cloned()
        .collect();
    for name in ours {
        headers.remove(name);
    }
    join_cookies(headers);
}

/// Puts cookies back on one line: HTTP/2 clients may send them apart, which HTTP/1.1 does not know (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

/// Says on an answer what was done with its request.
pub(crate) fn decided(headers: &mut HeaderMap, decision: Decision, bytes_saved: usize) {
    headers.insert(DECISION, HeaderValue::from_static(decision.name()));
    headers.insert(BYTES_SAVED, bytes_saved.into());
}
