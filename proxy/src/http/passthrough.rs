//! Requests in no dialect of ours: streamed to their provider and back, untouched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;

use crate::app::App;
use crate::dialect::{Endpoint, Provider};
use crate::http::errors;
use crate::http::headers::{self, RequestId};
use crate::http::websocket::Upgrade;
use crate::plan::splice::Rope;
use crate::upstream::RequestBody;

/// Relays a request of any method to any path.
pub(crate) async fn relay(app: Arc<App>, mut request: Request) -> Response<Body> {
    let id = RequestId::new();
    let upgrade = Upgrade::wanted(&mut request);
    let (mut parts, body) = request.into_parts();
    let span = tracing::info_span!("request", %id, path = parts.uri.path());
    let provider = Provider::of(parts.uri.path(), &parts.headers);
    let Some(target) = parts.uri.path_and_query() else {
        let message = format!("{} is not a path that can be forwarded", parts.uri);
        return id.on(errors::error(provider, StatusCode::BAD_REQUEST, &message));
    };
    let destination = match app.upstream.destination(provider, &parts.headers) {
        Ok(destination) => destination,
        Err(refused) => {
            return id.on(span.in_scope(|| errors::not_allowed(provider, &refused)));
        }
    };
    headers::outgoing(&mut parts.headers);
    if upgrade.is_some() && Endpoint::of(parts.uri.path()).is_some() {
        span.in_scope(|| {
            tracing::warn!(
                "a client asks on a WebSocket, where nothing is compressed: have it speak HTTP (Codex: supports_websockets=false in its model_providers entry)"
            );
        });
    }
    if let Some(upgrade) = &upgrade {
        upgrade.ask(&mut parts.headers);
    }
    let broken = Arc::new(AtomicBool::new(false));
    let body = if body.is_end_stream() {
        RequestBody::Whole(Rope::from(Bytes::new()))
    } else {
        let note = Arc::clone(&broken);
        RequestBody::Streamed(Body::new(body.map_err(move |error| {
            note.store(true, Ordering::Relaxed);
            error
        })))
    };
    let answer = app
        .upstream
        .send(&destination, (parts.method, target), parts.headers, body)
        .await;
    id.on(match answer {
        Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
            let agreed = upgrade.and_then(|upgrade| upgrade.agreed(&app, answer));
            agreed.unwrap_or_else(|| errors::switched(provider))
        }
        Ok(answer) => {
            let (mut parts, body) = answer.into_parts();
            headers::end_to_end(&mut parts.headers);
            Response::from_parts(parts, Body::new(body))
        }
        Err(_) if broken.load(Ordering::Relaxed) => errors::broken(provider),
        Err(error) => span.in_scope(|| errors::upstream_error(provider, &error)),
    })
}
