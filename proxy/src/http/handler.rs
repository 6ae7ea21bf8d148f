//! Handles a request of a dialect: plans what goes out, sends it, and passes the response on while its outcome is noted.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt;
use headroom_shared::runtime::clock::now_ms;
use headroom_shared::traces::Span;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Response, StatusCode, header};
use tracing::Instrument;

use crate::activity::SentTurn;
use crate::app::App;
use crate::dialect::{Endpoint, Purpose, prefix_mismatch};
use crate::http::account::Account;
use crate::http::body::BodyError;
use crate::http::context::RequestContext;
use crate::http::headers;
use crate::http::observed::{UpstreamResult, observed};
use crate::http::outgoing::Outgoing;
use crate::http::thinking_retry::ThinkingRetry;
use crate::http::wire_body::WireBody;
use crate::http::{errors, execute_plan};
use crate::jobs::PendingJob;
use crate::metrics::model_family::ModelFamily;
use crate::metrics::uncompressed::Uncompressed;
use crate::metrics::{Decision, TextBytes};
use crate::upstream::{Destination, RequestBody, RequestLine, ResponseBody};
use crate::usage::{self, Outcome, OutcomeCallback};

/// Handles a request of a dialect whose body was read, or could not be.
pub(crate) async fn handle(
    app: Arc<App>,
    endpoint: Endpoint,
    parts: Parts,
    received: Result<Bytes, BodyError>,
    account: &mut Account,
) -> Response<Body> {
    let dialect = endpoint.dialect;
    let (context, span) = RequestContext::new(app, dialect, &parts.headers, account);
    account.span.set("headroom.dialect", dialect.name());
    let handled = context.handle(endpoint, parts, received, account);
    handled.instrument(span).await
}

/// What was sent for a request.
struct Sent {
    /// Whether the provider bills it.
    is_billed: bool,
    decision: Decision,
    /// The length of the body, as it was received.
    bytes_received: usize,
    /// The same as it was sent.
    bytes_sent: usize,
    text: TextBytes,
    /// Why it has no forms, where it has none.
    uncompressed: Option<Uncompressed>,
    /// The family of the model that it names.
    family: ModelFamily,
    /// What became of the prefix that was left to a worker, in a word.
    reason: Option<&'static str>,
}

impl RequestContext {
    async fn handle(
        &self,
        endpoint: Endpoint,
        parts: Parts,
        received: Result<Bytes, BodyError>,
        account: &mut Account,
    ) -> Response<Body> {
        let provider = self.dialect.provider();
        let destination = match self.app.upstream.destination(provider, &parts.headers) {
            Ok(destination) => destination,
            Err(refused) => return errors::not_allowed(provider, &refused),
        };
        let received = match received {
            Ok(received) => received,
            Err(error) => return errors::body_error(provider, error, &self.app.rules),
        };
        let outgoing = self.plan(endpoint, &parts.headers, &received).await;
        self.refer_to_landed(&outgoing, &mut account.span);
        let path = parts.uri.path_and_query().cloned();
        let line = RequestLine {
            method: parts.method,
            path: &path.unwrap_or_else(|| PathAndQuery::from_static("/")),
            endpoint: Some(endpoint),
        };
        self.send(
            (&destination, line, parts.headers),
            outgoing,
            received.len(),
            account,
        )
        .await
    }

    /// Plans what goes out for a body.
    pub(super) async fn plan(
        &self,
        endpoint: Endpoint,
        headers: &HeaderMap,
        received: &Bytes,
    ) -> Outgoing {
        if headers::asks_bypass(headers) {
            if endpoint.is_billed() {
                let record =
                    execute_plan::record_bypassed(self.clone(), headers.clone(), received.clone());
                self.spawn_in_background(record);
            }
            return Outgoing::as_received(received, Uncompressed::Bypass);
        }
        // A panic of ours costs savings, never the request; its message is not shown, because it may quote a prompt.
        let planned = async {
            match endpoint.purpose {
                Purpose::Turn => execute_plan::turn(self, headers, received).await,
                Purpose::Compaction => execute_plan::compaction(self, headers, received).await,
                Purpose::Count => execute_plan::count(self, headers, received).await,
            }
        };
        match AssertUnwindSafe(planned).catch_unwind().await {
            Ok(Ok(outgoing)) => outgoing,
            Ok(Err(why)) => Outgoing::as_received(received, why),
            Err(_) => Outgoing::as_received(received, Uncompressed::Failed),
        }
    }

    async fn send(
        &self,
        (destination, line, mut headers): (&Destination, RequestLine<'_>, HeaderMap),
        outgoing: Outgoing,
        bytes_received: usize,
        account: &mut Account,
    ) -> Response<Body> {
        let Outgoing {
            body,
            decision,
            text,
            uncompressed,
            family,
            reason,
            drops_thinking,
            job,
            mut on_outcome,
            retry,
            ..
        } = outgoing;
        headers::make_outgoing(&mut headers, self.app.rules.separation.tenant_header());
        if drops_thinking {
            prefix_mismatch::add_beta(&mut headers);
        }
        let mut sent = Sent {
            is_billed: line.endpoint.is_none_or(|endpoint| endpoint.is_billed()),
            decision,
            bytes_received,
            bytes_sent: body.rope.len(),
            text,
            uncompressed,
            family,
            reason,
        };
        let retry = retry.map(|retry| (retry, headers.clone()));
        let to = (destination, line.clone());
        let forwarded = self.forward(to, headers, body, (family, &mut *account));
        let mut response = forwarded.await;
        if let Some((retry, headers)) = retry {
            // In a box: it is rare that there is more to do than to look at a status.
            let retried = self.retry_if_refused(
                response,
                retry,
                (destination, line, headers),
                (&mut sent, &mut *account),
            );
            let (final_response, callback) = Box::pin(retried).await;
            (response, on_outcome) = (final_response, Some(callback));
        }
        sent.decision = self.decision(sent.decision, job);
        self.respond(response, on_outcome, &sent, account)
    }

    /// What was done with a request: this, or what is known of its job by now. A job that is still on its way is counted when it ends.
    pub(super) fn decision(&self, decision: Decision, job: Option<PendingJob>) -> Decision {
        let Some(mut job) = job else {
            return decision;
        };
        let decision = job.decision_by_now();
        if decision == Decision::Deferring {
            let app = self.app.clone();
            self.spawn_in_background(async move { app.counts.job_ended(job.decision().await) });
        }
        decision
    }

    /// Has the span of a request in which a result lands tell whose work that is.
    pub(super) fn refer_to_landed(&self, outgoing: &Outgoing, span: &mut Span) {
        let Some(prefix) = outgoing.landed.filter(|_| span.is_recording()) else {
            return;
        };
        span.set("headroom.landed.prefix", prefix.to_string());
        if let Some(job) = self.app.jobs.span_of(prefix) {
            span.set("headroom.landed.job.id", job.id.clone());
            span.link(&job.span);
        }
    }

    /// Sends a body to the provider.
    async fn forward(
        &self,
        (destination, line): (&Destination, RequestLine<'_>),
        mut headers: HeaderMap,
        body: WireBody,
        (family, account): (ModelFamily, &mut Account),
    ) -> UpstreamResult {
        if body.lost_encoding {
            headers.remove(header::CONTENT_ENCODING);
        }
        let body = RequestBody::Whole(body.rope);
        let upstream = &self.app.upstream;
        let sending = upstream.send(destination, line, headers, body);
        observed(&self.app, (Some(family), account), sending).await
    }

    /// Sends a request once more if the response refuses its thinking. Gives the response to pass on, and whom to tell its outcome.
    async fn retry_if_refused(
        &self,
        response: UpstreamResult,
        retry: ThinkingRetry,
        (destination, line, mut headers): (&Destination, RequestLine<'_>, HeaderMap),
        (sent, account): (&mut Sent, &mut Account),
    ) -> (UpstreamResult, OutcomeCallback) {
        let Ok(mut response) = response else {
            return (response, retry.on_outcome());
        };
        let Some(text) = retry.retry_text(&mut response, &self.app.memory).await else {
            return (Ok(response), retry.on_outcome());
        };
        sent.decision = Decision::Forwarded;
        sent.uncompressed = Some(Uncompressed::Refused);
        sent.text.sent = text.len();
        let body = WireBody::of_text(&self.app, text, retry.coding);
        sent.bytes_sent = body.rope.len();
        prefix_mismatch::add_beta(&mut headers);
        let to = (destination, line);
        let forwarded = self.forward(to, headers, body, (sent.family, account));
        let second = forwarded.await;
        let is_success = second.as_ref().is_ok_and(|it| it.status().is_success());
        let on_outcome = if is_success {
            retry.on_outcome_of_retry(&self.app.counts)
        } else {
            retry.on_outcome()
        };
        (second, on_outcome)
    }

    /// Counts a request, and makes the client's response from the provider's.
    fn respond(
        &self,
        response: UpstreamResult,
        on_outcome: Option<OutcomeCallback>,
        sent: &Sent,
        account: &mut Account,
    ) -> Response<Body> {
        let Sent {
            is_billed,
            decision,
            bytes_received,
            bytes_sent,
            text,
            uncompressed,
            reason,
            ..
        } = *sent;
        let provider = self.dialect.provider();
        if is_billed {
            let counts = &self.app.counts;
            let wire = (bytes_received, bytes_sent);
            counts.request((decision, uncompressed), wire, text);
            if response.as_ref().is_ok_and(|it| it.status().is_success()) {
                counts.saved(text);
            }
        }
        let mut response = match response {
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                errors::unexpected_upgrade(provider)
            }
            Ok(response) => self.pass_on(response, on_outcome),
            Err(error) => errors::upstream_error(provider, &error),
        };
        let wire = (bytes_received, bytes_sent);
        account.note((decision, uncompressed), reason, wire);
        if is_billed {
            self.note_sent(account, text, Some(response.status()));
        }
        headers::set_decision(response.headers_mut(), decision, text.saved());
        if let Some(reason) = reason {
            headers::set_reason(response.headers_mut(), reason);
        }
        response
    }

    /// Notes what the page shows of a request that has gone out: `status` is that of the response, where it has come.
    pub(super) fn note_sent(&self, account: &Account, text: TextBytes, status: Option<StatusCode>) {
        let is_refused = status.is_some_and(|status| !status.is_success());
        let sent = SentTurn {
            at_ms: now_ms(),
            dialect: self.dialect.name(),
            session: Arc::clone(&self.session),
            decision: account.decision.map_or("", Decision::name),
            reason: account.reason,
            bytes_in: text.received,
            bytes_saved: if is_refused { 0 } else { text.saved() },
            added_ms: account.added_by_now().as_secs_f64() * 1000.0,
            status: status.map(|status| status.as_u16()),
        };
        self.app.activity.note_sent(self.id.uuid(), sent);
    }

    /// Passes a response on, and tells the request's outcome where somebody wants it.
    fn pass_on(
        &self,
        response: Response<ResponseBody>,
        on_outcome: Option<OutcomeCallback>,
    ) -> Response<Body> {
        let (mut parts, body) = response.into_parts();
        headers::end_to_end(&mut parts.headers);
        let body = match on_outcome {
            Some(on_outcome) if usage::is_refusal(parts.status) => {
                on_outcome(Outcome::Refused);
                Body::new(body)
            }
            Some(on_outcome) => {
                Body::new(usage::tap(body, &parts.headers, self.dialect, on_outcome))
            }
            None => Body::new(body),
        };
        Response::from_parts(parts, body)
    }
}
