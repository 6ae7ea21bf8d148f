//! The paths of the retrieval tool: only for clients that ask this host and are no page of another origin.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::any;
use http::{Response, StatusCode};
use http_body_util::Full;

use crate::app::App;
use crate::dialect::Provider;
use crate::http::body::{BodyError, ReceivedBody};
use crate::http::body_timeout::timed;
use crate::http::{body, errors};
use crate::retrieval::server::Retrieval;

/// The longest body of a request: a call names a text and a part of it.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Where clients of the Model Context Protocol look for a server that gives out tokens. There is none: what a provider answers there is not
/// meant for them.
const AUTHORIZATION: [&str; 7] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/mcp",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/openid-configuration",
    "/.well-known/openid-configuration/mcp",
    "/mcp/.well-known/openid-configuration",
];

/// The routes. Their hosts must be checked before.
pub(super) fn routes(app: &App) -> Router<Arc<App>> {
    let store = app.records.store().clone();
    let (counts, memory) = (app.counts.retrieval.clone(), app.memory.clone());
    let retrieval = Retrieval::new(store, counts, memory);
    let respond =
        async move |State(app): State<Arc<App>>, request| respond(&app, &retrieval, request).await;
    let routes = Router::new().route("/mcp", any(respond));
    AUTHORIZATION.iter().fold(routes, |routes, path| {
        routes.route(path, any(async || no_authorization()))
    })
}

async fn respond(app: &App, retrieval: &Retrieval, request: Request) -> Response<Body> {
    if app.rules.own_hosts.is_cross_origin(request.headers()) {
        let message = "a web page of another origin may not ask here: list its host in HEADROOM_ALLOWED_HOSTS to allow it";
        return errors::error(Provider::OpenAi, StatusCode::FORBIDDEN, message);
    }
    let (parts, body) = request.into_parts();
    let body = timed(body, app.rules.body_timeout);
    match body::read(body, &parts.headers, (MAX_BODY_BYTES, &app.memory)).await {
        Ok(ReceivedBody::Whole(whole)) => {
            let request = Request::from_parts(parts, Full::new(whole));
            retrieval.respond(request).await.map(Body::new)
        }
        Ok(ReceivedBody::OverBudget(_)) => errors::over_budget(Provider::OpenAi),
        Err(error) => unread(error),
    }
}

fn no_authorization() -> Response<Body> {
    let message = "the retrieval tool asks for no authorization";
    errors::error(Provider::OpenAi, StatusCode::NOT_FOUND, message)
}

/// The response to a request whose body was not read.
fn unread(error: BodyError) -> Response<Body> {
    let (status, message) = match error {
        BodyError::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "a request to the retrieval tool has at most 1 MiB",
        ),
        BodyError::Stalled => (
            StatusCode::REQUEST_TIMEOUT,
            "nothing more of the request body came for too long",
        ),
        BodyError::Incomplete => (
            StatusCode::BAD_REQUEST,
            "the request body ended before all of it had come",
        ),
    };
    errors::error(Provider::OpenAi, status, message)
}
