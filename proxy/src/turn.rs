//! The way of one request of a dialect: plan what goes out, send it, and listen to the answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt;
use http::request::Parts;
use http::{Response, StatusCode, header};
use tracing::Instrument;

use crate::answer::{Done, Overheard};
use crate::app::App;
use crate::counts::Decision;
use crate::defer::Deferral;
use crate::dialect::{Dialect, Endpoint};
use crate::http::body::Unread;
use crate::http::errors;
use crate::http::headers::{self, RequestId};
use crate::outgoing::Outgoing;
use crate::plan;
use crate::upstream::{Destination, RequestBody, ResponseBody};

/// Answers a request of a dialect whose body was read, or could not be.
pub(crate) async fn answer(
    app: Arc<App>,
    dialect: &'static dyn Dialect,
    parts: Parts,
    received: Result<Bytes, Unread>,
) -> Response<Body> {
    let id = RequestId::new();
    let session = headers::session(&parts.headers);
    let span = tracing::info_span!("request", %id, dialect = dialect.name(), session);
    let turn = Turn { app, dialect, id };
    id.on(turn.run(parts, received).instrument(span).await)
}

/// One request of a dialect.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) app: Arc<App>,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) id: RequestId,
}

impl Turn {
    async fn run(&self, mut parts: Parts, received: Result<Bytes, Unread>) -> Response<Body> {
        let provider = self.dialect.provider();
        let destination = match self.app.upstream.destination(provider, &parts.headers) {
            Ok(destination) => destination,
            Err(refused) => return errors::not_allowed(provider, &refused),
        };
        let received = match received {
            Ok(received) => received,
            Err(unread) => return self.refuse(&unread),
        };
        let outgoing = self.prepare(&parts, &received).await;
        if outgoing.decision == Decision::Compressed {
            // It was decoded to be spliced, and goes out as it is now.
            parts.headers.remove(header::CONTENT_ENCODING);
        }
        self.send((parts, &destination), outgoing, received.len())
            .await
    }

    /// Chooses what goes out for a body.
    async fn prepare(&self, parts: &Parts, received: &Bytes) -> Outgoing {
        let headers = &parts.headers;
        if headers::bypass(headers) {
            let observed = plan::observe(self.clone(), headers.clone(), received.clone());
            let observed = observed.in_current_span();
            self.app.tasks.spawn_on(observed, &self.app.off_path);
            return Outgoing::as_received(received, Decision::Bypassed);
        }
        // A panic of ours costs savings, never the request; its message is not shown, because it may quote a prompt.
        let compacts = Endpoint::of(parts.uri.path()).is_some_and(|asked| asked.compacts());
        let planned = async {
            if compacts {
                plan::compaction(self, headers, received).await
            } else {
                plan::plan(self, headers, received).await
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
            deferral,
            heard,
        } = outgoing;
        let provider = self.dialect.provider();
        let bytes_sent = rope.len();
        headers::outgoing(&mut parts.headers);
        let target = parts
            .uri
            .path_and_query()
            .cloned()
            .unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
        let answer = self
            .app
            .upstream
            .send(
                destination,
                (parts.method, &target),
                parts.headers,
                RequestBody::Whole(rope),
            )
            .await;
        let decision = deferral.map_or(decision, Deferral::decision);
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
        let body = Overheard::new(body, &parts.headers, self.dialect, heard);
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
