//! The `x-headroom-` headers: read from requests, removed before the provider, added to responses. And the other headers that this hop
//! changes.

use std::sync::Arc;

use axum::body::Body;
use headroom_shared::contract::tier::Tier;
use headroom_shared::runtime::truncated::truncated;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version, header};
use uuid::Uuid;

use crate::dialect::credential;
pub(crate) use crate::http::hop_by_hop::end_to_end;
use crate::metrics::Decision;

/// All headers that begin so are for this proxy alone.
const OWN: &str = "x-headroom-";
const BYPASS: HeaderName = HeaderName::from_static("x-headroom-bypass");
const TIER: HeaderName = HeaderName::from_static("x-headroom-tier");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-headroom-request-id");
const DECISION: HeaderName = HeaderName::from_static("x-headroom-decision");
const REASON: HeaderName = HeaderName::from_static("x-headroom-reason");
const BYTES_SAVED: HeaderName = HeaderName::from_static("x-headroom-bytes-saved");

/// Where agents say which session a request belongs to; for the logs alone.
const SESSION: [&str; 3] = ["x-claude-code-session-id", "session-id", "thread-id"];

/// So many bytes of a session's name are taken.
const MAX_SESSION: usize = 64;

/// The id of one request in responses and logs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId(Uuid);

impl RequestId {
    /// A new id; ids sort by time.
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id as such.
    pub(crate) const fn uuid(self) -> Uuid {
        self.0
    }

    /// Sets the id on a response, and this hop's HTTP version in place of the provider's.
    pub(crate) fn set_on(self, mut response: Response<Body>) -> Response<Body> {
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
pub(crate) fn asks_bypass(headers: &HeaderMap) -> bool {
    headers
        .get(BYPASS)
        .is_some_and(|value| value == "1" || value == "true")
}

/// What the client says that forms may leave out, if it says anything: nothing where that is not understood.
pub(crate) fn tier(headers: &HeaderMap) -> Option<Tier> {
    let value = headers.get(TIER)?.to_str().unwrap_or_default();
    Some(value.parse().unwrap_or_else(|error| {
        tracing::warn!(%error, "x-headroom-tier: nothing is left out of this request");
        Tier::Lossless
    }))
}

/// The session a client names; empty if none.
pub(crate) fn session(headers: &HeaderMap) -> Arc<str> {
    let named = SESSION
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok());
    truncated(named.unwrap_or_default(), MAX_SESSION).into()
}

/// Whether the body has a transfer coding besides `chunked`, which the server decodes: this hop knows no other, and the next would not
/// learn of it.
pub(crate) fn has_unknown_transfer_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    codings.next().is_some_and(|coding| !chunked(coding)) || codings.next().is_some()
}

/// Whether the request says once for which host it is (RFC 9112, section 3.2): in its target, where that is absolute, or its `Host`.
pub(crate) fn names_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    second.is_none() && (host.is_some() || request.uri().authority().is_some())
}

/// Makes a client's headers those that go to the provider. The header that names a tenant is for this proxy alone, unless it is the
/// credential.
pub(crate) fn make_outgoing(headers: &mut HeaderMap, tenant_header: Option<&HeaderName>) {
    end_to_end(headers);
    if let Some(name) = tenant_header
        && !credential::is_credential(name)
    {
        headers.remove(name);
    }
    let own: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(OWN))
        .cloned()
        .collect();
    for name in own {
        headers.remove(name);
    }
    join_cookies(headers);
}

/// Joins cookies in one header: HTTP/2 clients may send several, which HTTP/1.1 does not allow (RFC 9113, section 8.2.3).
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

/// Sets on a response what was done with its request.
pub(crate) fn set_decision(headers: &mut HeaderMap, decision: Decision, bytes_saved: usize) {
    headers.insert(DECISION, HeaderValue::from_static(decision.name()));
    headers.insert(BYTES_SAVED, bytes_saved.into());
}

/// Says on a response why: its request was not looked into, or the prefix that was left to a worker has landed or not.
pub(crate) fn set_reason(headers: &mut HeaderMap, reason: &'static str) {
    headers.insert(REASON, HeaderValue::from_static(reason));
}
