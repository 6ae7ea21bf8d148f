//! Relays requests that are in no dialect: streamed to their provider and back, untouched.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use headroom_shared::runtime::truncated::logged;
use http::{HeaderMap, Response, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::BodyExt as _;

use crate::app::App;
use crate::dialect::{Endpoint, Provider};
use crate::http::account::Account;
use crate::http::body::BodyError;
use crate::http::headers;
use crate::http::observed::observed;
use crate::http::websocket::Upgrade;
use crate::http::websocket::mode::WebSocketMode;
use crate::http::{body, errors};
use crate::metrics::model_family::ModelFamily;
use crate::metrics::uncompressed::Uncompressed;
use crate::metrics::{Decision, TextBytes};
use crate::plan::splice::Rope;
use crate::upstream::{RequestBody, RequestLine};

/// Relays a dialect's request for whose body there is no memory: it is streamed through unread, or refused for now where there is not even
/// memory for that.
pub(crate) async fn relay_over_budget(
    app: Arc<App>,
    endpoint: Endpoint,
    request: Request,
    account: &mut Account,
) -> Response<Body> {
    let length = request.body().size_hint().exact();
    let length = usize::try_from(length.unwrap_or(0)).unwrap_or(0);
    app.counts.over_memory.inc();
    let Ok(_memory) = app.memory.stream() else {
        tracing::warn!("no memory is left for a request: it is refused for now");
        body::discard(request.into_body(), app.rules.max_body_bytes).await;
        return errors::over_budget(endpoint.dialect.provider());
    };
    tracing::info!(
        bytes.r#in = length,
        "no memory is left for a body: it goes out unread"
    );
    let (done, wire) = (
        (Decision::Forwarded, Some(Uncompressed::Memory)),
        (length, length),
    );
    if endpoint.is_billed() {
        let text = TextBytes::unchanged(length);
        app.counts.request(done, wire, text);
    }
    let mut response = relay(app, Some(endpoint), request, account).await;
    account.note(done, None, wire);
    headers::set_decision(response.headers_mut(), Decision::Forwarded, 0);
    headers::set_reason(response.headers_mut(), Uncompressed::Memory.name());
    response
}

/// Relays a request of any method to any path, which leads to `endpoint` if it is a dialect's.
pub(crate) async fn relay(
    app: Arc<App>,
    endpoint: Option<Endpoint>,
    mut request: Request,
    account: &mut Account,
) -> Response<Body> {
    let mut upgrade = Upgrade::take_from(&mut request);
    let (mut parts, body) = request.into_parts();
    let path = logged(parts.uri.path());
    let span = tracing::info_span!("request", id = %account.id, path);
    let provider = Provider::of(endpoint, parts.uri.path(), &parts.headers);
    let Some(path) = parts.uri.path_and_query() else {
        let message = format!("{} is not a path that can be forwarded", parts.uri);
        return errors::error(provider, StatusCode::BAD_REQUEST, &message);
    };
    let destination = match app.upstream.destination(provider, &parts.headers) {
        Ok(destination) => destination,
        Err(refused) => {
            return span.in_scope(|| errors::not_allowed(provider, &refused));
        }
    };
    let of_client = (&parts.uri, &parts.headers);
    let apply = || apply_mode(app.rules.websocket, upgrade.as_mut()?, endpoint?, of_client);
    if let Some(refused) = span.in_scope(apply) {
        return refused;
    }
    headers::make_outgoing(&mut parts.headers, app.rules.separation.tenant_header());
    if let Some(upgrade) = &upgrade {
        upgrade.add_to(&mut parts.headers);
    }
    // Why the client's body ended early, if it did.
    let body_error = Arc::new(OnceLock::new());
    let body = streamed(body, &body_error);
    let line = RequestLine {
        method: parts.method,
        path,
        endpoint,
    };
    let family = endpoint.filter(|_| upgrade.is_none());
    let family = family.map(|_| ModelFamily::Other);
    let sending = app.upstream.send(&destination, line, parts.headers, body);
    let response = observed(&app, (family, account), sending).await;
    match response {
        Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            let accepted = upgrade.and_then(|upgrade| upgrade.accept(&app, response));
            accepted.unwrap_or_else(|| errors::unexpected_upgrade(provider))
        }
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            headers::end_to_end(&mut parts.headers);
            Response::from_parts(parts, Body::new(body))
        }
        Err(error) => match body_error.get() {
            Some(body_error) => errors::body_error(provider, *body_error, &app.rules),
            None => span.in_scope(|| errors::upstream_error(provider, &error)),
        },
    }
}

/// A client's body as it is passed on. Why it ended early, if it does, is noted.
fn streamed(body: Body, early_end: &Arc<OnceLock<BodyError>>) -> RequestBody {
    if body.is_end_stream() {
        return RequestBody::Whole(Rope::from(Bytes::new()));
    }
    let note = Arc::clone(early_end);
    RequestBody::Streamed(Body::new(body.map_err(move |error| {
        let _ = note.set(BodyError::from(&error));
        error
    })))
}

/// Does what is set with a WebSocket to an endpoint; gives the response that refuses it.
fn apply_mode(
    mode: WebSocketMode,
    upgrade: &mut Upgrade,
    endpoint: Endpoint,
    (target, headers): (&Uri, &HeaderMap),
) -> Option<Response<Body>> {
    let compresses = match mode {
        WebSocketMode::Compress => upgrade.compress(endpoint, target, headers),
        WebSocketMode::Relay => false,
        WebSocketMode::Refuse => {
            return Some(errors::websocket_refused(endpoint.dialect.provider()));
        }
    };
    if !compresses {
        warn_of_websocket();
    }
    None
}

fn warn_of_websocket() {
    tracing::warn!(
        "a client asks on a WebSocket that is relayed, where nothing is compressed (HEADROOM_WEBSOCKET=compress compresses Codex's)"
    );
}
