//! The way of one request of a dialect: plan what goes out, send it, and listen to the answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Response, StatusCode, header};
use tracing::Instrument;

use crate::app::App;
use crate::dialect::{Endpoint, prefix_mismatch};
use crate::http::body::Unread;
use crate::http::errors;
use crate::http::exchange::Turn;
use crate::http::headers::{self, RequestId};
use crate::http::outgoing::Outgoing;
use crate::http::prepare;
use crate::http::recovery::Recovery;
use crate::jobs::deferral::Deferral;
use crate::metrics::Decision;
use crate::plan::splice::Rope;
use crate::upstream::{Destination, RequestBody, ResponseBody, UpstreamError};
use crate::usage::{Done, UsageTap};

/// Answers a request of a dialect whose body was read, or could not be.
pub(crate) async fn answer(
    app: Arc<App>,
    endpoint: Endpoint,
    parts: Parts,
    received: Result<Bytes, Unread>,
) -> Response<Body> {
    let (id, dialect) = (RequestId::new(), endpoint.dialect);
    let session = headers::session(&parts.headers);
    let span = tracing::info_span!("request", %id, dialect = dialect.name(), session);
    let turn = Turn { app, dialect, id };
    id.on(turn.run(endpoint, parts, received).instrument(span).await)
}

/// What a request asks, and where.
#[derive(Clone)]
struct Asked<'a> {
    destination: &'a Destination,
    method: Method,
    target: &'a PathAndQuery,
}

/// What was sent for a request.
struct Sent {
    decision: Decision,
    bytes_sent: usize,
    bytes_saved: usize,
}

impl Turn {
    async fn run(
        &self,
        endpoint: Endpoint,
        mut parts: Parts,
        received: Result<Bytes, Unread>,
    ) -> Response<Body> {
        let provider = self.dialect.provider();
        let destination = match self.app.upstream.destination(provider, &parts.headers) {
            Ok(destination) => destination,
            Err(refused) => return errors::not_allowed(provider, &refused),
        };
        let received = match received {
            Ok(received) => received,
            Err(unread) => return self.refuse(&unread),
        };
        let outgoing = self.prepare(endpoint, &parts.headers, &received).await;
        if outgoing.is_decoded() {
            // It was decoded to be spliced, and goes out as it is now.
            parts.headers.remove(header::CONTENT_ENCODING);
        }
        self.send((parts, &destination), outgoing, received.len())
            .await
    }

    /// Chooses what goes out for a body.
    async fn prepare(&self, endpoint: Endpoint, headers: &HeaderMap, received: &Bytes) -> Outgoing {
        if headers::bypass(headers) {
            let observed = prepare::observe(self.clone(), headers.clone(), received.clone());
            let observed = observed.in_current_span();
            self.app.tasks.spawn_on(observed, &self.app.background);
            return Outgoing::as_received(received, Decision::Bypassed);
        }
        // A panic of ours costs savings, never the request; its message is not shown, because it may quote a prompt.
        let planned = async {
            if endpoint.compacts() {
                prepare::prepare_compaction(self, headers, received).await
            } else {
                prepare::prepare(self, headers, received).await
            }
        };
        let planned = AssertUnwindSafe(planned).catch_unwind().await;
        match planned {
            Ok(Some(outgoing)) => outgoing,
            Ok(None) | Err(_) => Outgoing::as_received(received, Decision::Forwarded),
        }
    }

    async fn send(
        &self,
        (mut parts, destination): (Parts, &Destination),
        outgoing: Outgoing,
        bytes_in: usize,
    ) -> Response<Body> {
        let Outgoing {
            rope,
            decision,
            bytes_saved,
            drops_thinking,
            deferral,
            heard,
            recovery,
        } = outgoing;
        headers::outgoing(&mut parts.headers);
        if drops_thinking {
            prefix_mismatch::name_beta(&mut parts.headers);
        }
        let bytes_sent = rope.len();
        let mut sent = Sent {
            decision,
            bytes_sent,
            bytes_saved,
        };
        let target = parts.uri.path_and_query().cloned();
        let asked = Asked {
            destination,
            method: parts.method,
            target: &target.unwrap_or_else(|| PathAndQuery::from_static("/")),
        };
        let again = recovery.map(|recovery| (recovery, parts.headers.clone()));
        let mut answer = self.forward(asked.clone(), parts.headers, rope).await;
        let mut heard = heard;
        if let Some((recovery, headers)) = again {
            // In a box: it is rare that more is to be done than to look at a status.
            let recover = Box::pin(self.recover(answer, recovery, (asked, headers), &mut sent));
            let (final_answer, told) = recover.await;
            (answer, heard) = (final_answer, Some(told));
        }
        sent.decision = deferral.map_or(sent.decision, Deferral::decision);
        self.answered(answer, heard, &sent, bytes_in)
    }

    /// Sends a body to the provider.
    async fn forward(
        &self,
        Asked {
            destination,
            method,
            target,
        }: Asked<'_>,
        headers: HeaderMap,
        rope: Rope,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        let body = RequestBody::Whole(rope);
        self.app
            .upstream
            .send(destination, (method, target), headers, body)
            .await
    }

    /// Sends a request once more, if its answer is the refusal of its thinking; gives the answer to pass on, and who listens to it.
    async fn recover(
        &self,
        answer: Result<Response<ResponseBody>, UpstreamError>,
        recovery: Recovery,
        (asked, mut headers): (Asked<'_>, HeaderMap),
        sent: &mut Sent,
    ) -> (Result<Response<ResponseBody>, UpstreamError>, Done) {
        let Ok(mut answer) = answer else {
            return (answer, recovery.heard());
        };
        let Some(rope) = recovery.second_try(&mut answer).await else {
            return (Ok(answer), recovery.heard());
        };
        *sent = Sent {
            decision: Decision::Forwarded,
            bytes_sent: rope.len(),
            bytes_saved: 0,
        };
        headers.remove(header::CONTENT_ENCODING);
        prefix_mismatch::name_beta(&mut headers);
        let second = self.forward(asked, headers, rope).await;
        let taken = second.as_ref().is_ok_and(|it| it.status().is_success());
        let heard = if taken {
            recovery.lost(&self.app.counts)
        } else {
            recovery.heard()
        };
        (second, heard)
    }

    /// Counts a request, and makes its answer the client's.
    fn answered(
        &self,
        answer: Result<Response<ResponseBody>, UpstreamError>,
        heard: Option<Done>,
        sent: &Sent,
        bytes_in: usize,
    ) -> Response<Body> {
        let Sent {
            decision,
            bytes_sent,
            bytes_saved,
        } = *sent;
        let provider = self.dialect.provider();
        self.app
            .counts
            .request(decision, bytes_in, bytes_sent, bytes_saved);
        let mut response = match answer {
            Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                errors::switched(provider)
            }
            Ok(answer) => self.listen(answer, heard),
            Err(error) => errors::upstream_error(provider, &error),
        };
        let status = response.status().as_u16();
        tracing::debug!(
            decision = decision.name(),
            bytes.r#in = bytes_in,
            bytes.sent = bytes_sent,
            status,
            "answered"
        );
        headers::decided(response.headers_mut(), decision, bytes_saved);
        response
    }

    /// Passes an answer on and listens to it.
    fn listen(&self, answer: Response<ResponseBody>, heard: Option<Done>) -> Response<Body> {
        let (mut parts, body) = answer.into_parts();
        headers::end_to_end(&mut parts.headers);
        let Some(heard) = heard else {
            return Response::from_parts(parts, Body::new(body));
        };
        let body = UsageTap::new(body, &parts.headers, self.dialect, heard);
        Response::from_parts(parts, Body::new(body))
    }

    fn refuse(&self, unread: &Unread) -> Response<Body> {
        let provider = self.dialect.provider();
        match unread {
            Unread::TooLarge => {
                let limit = self.app.rules.max_body_bytes;
                let message = format!(
                    "the request body is larger than {limit} bytes (HEADROOM_MAX_BODY_BYTES)"
                );
                errors::error(provider, StatusCode::PAYLOAD_TOO_LARGE, &message)
            }
            Unread::Broken => errors::broken(provider),
        }
    }
}
