//! What a request has been: one line in the log when it has ended, its span, and the time that it took here.

use std::time::{Duration, Instant};

use axum::body::Body;
use headroom_shared::runtime::truncated::logged;
use headroom_shared::traces::{Kind, Span, SpanParent};
use http::{HeaderMap, HeaderName, Method, Request, Response, Uri};

use crate::http::body;
use crate::http::headers::RequestId;
use crate::metrics::Decision;
use crate::metrics::uncompressed::Uncompressed;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// One request. Its line is logged when this is dropped: with the last of its response, or where its client has gone.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: RequestId,
    /// `None` for a request on a WebSocket.
    method: Option<Method>,
    uri: Uri,
    began: Instant,
    /// How long the client took to send the body, and the provider to answer.
    pub(crate) elsewhere: Duration,
    /// How long the proxy took until the head of the response, once that is known.
    pub(crate) added: Option<Duration>,
    status: Option<u16>,
    pub(crate) decision: Option<Decision>,
    pub(crate) reason: Option<&'static str>,
    /// The length of the body, as it was received.
    bytes_in: usize,
    /// The same as it was sent.
    bytes_sent: usize,
    pub(crate) span: Span,
}

impl Account {
    /// That of a request whose head has come.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Self::new(Some(method), uri, request.headers())
    }

    /// That of a request on a WebSocket, whose handshake had this target and these headers.
    pub(crate) fn on_websocket(target: Uri, headers: &HeaderMap) -> Self {
        Self::new(None, target, headers)
    }

    fn new(method: Option<Method>, uri: Uri, headers: &HeaderMap) -> Self {
        let id = RequestId::new();
        let header = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let parent = SpanParent::of_headers(header(&TRACEPARENT), header(&TRACESTATE));
        let mut span = Span::begin("request", Kind::Server, &parent);
        if span.is_recording() {
            let word = method.as_ref().map_or("WS", Method::as_str);
            span.set("http.request.method", word.to_owned());
            span.set("url.path", logged(uri.path()).to_owned());
            span.set("headroom.request.id", id.to_string());
        }
        Self {
            id,
            method,
            uri,
            began: Instant::now(),
            elsewhere: Duration::ZERO,
            added: None,
            status: None,
            decision: None,
            reason: None,
            bytes_in: 0,
            bytes_sent: 0,
            span,
        }
    }

    /// Notes what was done with the request, and why: what became of what was left to workers, in a word, or else why nothing was compressed.
    /// `wire` are the lengths of its body as it was received and as it was sent.
    pub(crate) fn note(
        &mut self,
        (decision, uncompressed): (Decision, Option<Uncompressed>),
        reason: Option<&'static str>,
        wire: (usize, usize),
    ) {
        self.decision = Some(decision);
        self.reason = reason.or(uncompressed.map(Uncompressed::name));
        (self.bytes_in, self.bytes_sent) = wire;
    }

    /// The head of the response, or what goes out in place of one, is ready. Gives how long that took here.
    pub(crate) fn head_is_ready(&mut self, status: Option<u16>) -> Duration {
        let added = self.added_by_now();
        (self.status, self.added) = (status, Some(added));
        added
    }

    /// How long the request has been here by now, without the time that client and provider took.
    pub(crate) fn added_by_now(&self) -> Duration {
        self.began.elapsed().saturating_sub(self.elsewhere)
    }

    /// The response, which keeps this until its end.
    pub(crate) fn keep_with(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| Body::new(body::keeping(body, self)))
    }

    fn log(&self) {
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        tracing::info!(
            id = %self.id,
            method = self.method.as_ref().map_or("WS", Method::as_str),
            path = logged(self.uri.path()),
            status = self.status,
            decision = self.decision.map(Decision::name),
            reason = self.reason,
            bytes.r#in = self.bytes_in,
            bytes.sent = self.bytes_sent,
            ms.added = self.added.map(ms),
            ms.total = ms(self.began.elapsed()),
            "answered"
        );
    }

    fn end_span(&mut self) {
        if !self.span.is_recording() {
            return;
        }
        let span = &mut self.span;
        if let Some(decision) = self.decision {
            span.set("headroom.decision", decision.name());
        }
        if let Some(reason) = self.reason {
            span.set("headroom.reason", reason);
        }
        let bytes = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        span.set("headroom.bytes.in", bytes(self.bytes_in));
        span.set("headroom.bytes.sent", bytes(self.bytes_sent));
        if let Some(status) = self.status {
            span.set("http.response.status_code", i64::from(status));
            if status >= 500 {
                span.fail("the response has a status of 500 or more");
            }
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.log();
        self.end_span();
    }
}
