//! Routes requests by method and path.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use axum::routing::get;
use headroom_shared::metrics::{page, register_ready};
use headroom_shared::queue::{Depth, Totals};
use http::{HeaderMap, Method, Response, StatusCode, Version, header};
use serde_json::json;

use crate::app::App;
use crate::dialect::{Endpoint, Provider};
use crate::http::account::Account;
use crate::http::body::ReceivedBody;
use crate::http::body_timeout::timed;
use crate::http::handler;
use crate::http::json_text::json_text;
use crate::http::{body, dashboard, errors, headers, passthrough, retrieval};

/// How long `/stats`, `/metrics` and `/readyz` may wait for the queue and the store.
const COUNTS_TIMEOUT: Duration = Duration::from_secs(1);

/// The router: the proxy's own paths, and everything else to its provider.
pub(crate) fn routes(app: Arc<App>) -> Router {
    let own = Router::new()
        .route("/stats", get(stats))
        .route("/metrics", get(metrics))
        .merge(retrieval::routes(&app))
        .merge(dashboard::routes())
        .layer(middleware::from_fn_with_state(
            app.clone(),
            refuse_other_hosts,
        ));
    Router::new()
        .route(
            "/livez",
            get(async || json_text(StatusCode::OK, &json!({"status": "alive"}))),
        )
        .route("/readyz", get(readyz))
        .merge(own)
        .route("/", get(page_or_forward).fallback(forward))
        .fallback(forward)
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(refuse_unclear_host))
        .with_state(app)
}

/// Refuses a request that does not say once for which host it is. HTTP/1.0 need not say it.
async fn refuse_unclear_host(request: Request, next: Next) -> Response<Body> {
    if request.version() >= Version::HTTP_11 && !headers::names_one_host(&request) {
        let endpoint = Endpoint::of(request.uri().path());
        let message = "the request must have one Host header";
        return refused(endpoint, &request, StatusCode::BAD_REQUEST, message);
    }
    next.run(request).await
}

/// Refuses to show counts and originals to a page that has given this machine's address a name of its own.
async fn refuse_other_hosts(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    if app.rules.own_hosts.is_asked(&request) {
        return next.run(request).await;
    }
    let message =
        "this host is not known to be this proxy: list its name in HEADROOM_ALLOWED_HOSTS";
    errors::error(Provider::OpenAi, StatusCode::FORBIDDEN, message)
}

/// Answers a request that is for a provider, and accounts for it.
async fn forward(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let mut account = Account::of(&request);
    let response = answer(&app, request, &mut account).await;
    let added = account.head_is_ready(Some(response.status().as_u16()));
    if account.decision.is_some() {
        app.counts.times.added(added);
    }
    let response = account.id.set_on(response);
    account.keep_with(response)
}

/// Shows the page to who asks this host, and relays what is for another.
async fn page_or_forward(app: State<Arc<App>>, request: Request) -> Response<Body> {
    if app.rules.own_hosts.is_asked(&request) {
        dashboard::page()
    } else {
        forward(app, request).await
    }
}

/// Has a request that is posted to a dialect's path planned, and relays everything else.
async fn answer(app: &Arc<App>, request: Request, account: &mut Account) -> Response<Body> {
    let endpoint = Endpoint::of(request.uri().path());
    let posted = endpoint.filter(|_| request.method() == Method::POST);
    if request.method() == Method::POST && app.rules.own_hosts.is_cross_origin(request.headers()) {
        let message = "a web page of another origin may not post here: list its host in HEADROOM_ALLOWED_HOSTS to allow it";
        return refused(endpoint, &request, StatusCode::FORBIDDEN, message);
    }
    if let Some(name) = app.rules.separation.tenant_header()
        && request.headers().get_all(name).iter().nth(1).is_some()
    {
        let message = format!("{name} is there twice: name one tenant");
        return refused(endpoint, &request, StatusCode::BAD_REQUEST, &message);
    }
    if headers::has_unknown_transfer_coding(request.headers()) {
        // RFC 9112, section 6.1.
        let message = "no transfer coding but chunked is understood";
        return refused(endpoint, &request, StatusCode::NOT_IMPLEMENTED, message);
    }
    let request = request.map(|body| timed(body, app.rules.body_timeout));
    let Some(posted) = posted else {
        return passthrough::relay(app.clone(), endpoint, request, account).await;
    };
    let (parts, body) = request.into_parts();
    let limits = (app.rules.max_body_bytes, &app.memory);
    let began = Instant::now();
    let read = body::read(body, &parts.headers, limits).await;
    account.elsewhere += began.elapsed();
    let app = app.clone();
    match read {
        Ok(ReceivedBody::OverBudget(body)) => {
            let request = Request::from_parts(parts, body);
            passthrough::relay_over_budget(app, posted, request, account).await
        }
        Ok(ReceivedBody::Whole(whole)) => {
            handler::handle(app, posted, parts, Ok(whole), account).await
        }
        Err(error) => handler::handle(app, posted, parts, Err(error), account).await,
    }
}

/// The response to a request that is sent nowhere, in the shape of its provider.
fn refused(
    endpoint: Option<Endpoint>,
    request: &Request,
    status: StatusCode,
    message: &str,
) -> Response<Body> {
    let provider = Provider::of(endpoint, request.uri().path(), request.headers());
    errors::error(provider, status, message)
}

async fn readyz(State(app): State<Arc<App>>) -> impl IntoResponse {
    match readiness(&app).await {
        Ok(()) => json_text(StatusCode::OK, &json!({"status": "ready"})),
        Err(document) => json_text(StatusCode::SERVICE_UNAVAILABLE, &document),
    }
}

/// Whether the proxy is ready.
///
/// # Errors
/// Why it is not, as `/readyz` says it.
async fn readiness(app: &App) -> Result<(), serde_json::Value> {
    if app.is_draining() {
        return Err(json!({"status": "draining"}));
    }
    let store = app.records.store();
    let ping = tokio::time::timeout(COUNTS_TIMEOUT, store.ping()).await;
    let (status, reason) = match (ping, store.evicts()) {
        (Ok(Ok(_)), Some(evicts)) => ("store evicts", evicts.to_string()),
        (Ok(Ok(Some(full))), None) => ("store full", full.to_string()),
        (Ok(Ok(None)), None) => return Ok(()),
        (Ok(Err(error)), _) if error.is_refusal() => ("store refuses", error.to_string()),
        (Ok(Err(error)), _) => ("store away", error.to_string()),
        (Err(_), _) => ("store away", "no answer within 1 s".to_owned()),
    };
    Err(json!({"status": status, "reason": reason, "note": "requests are forwarded uncompressed"}))
}

async fn stats(State(app): State<Arc<App>>) -> impl IntoResponse {
    let queue = queue_counts(&app).await;
    let mut document = app.counts.stats(queue, app.rules.store_name);
    document["proxy"] = about(&app);
    json_text(StatusCode::OK, &document)
}

/// What this proxy is, and what it has under way besides the request that asks and open pages.
fn about(app: &App) -> serde_json::Value {
    let [anthropic, openai] = app.upstream.bases();
    let responses = app.streams.len().saturating_sub(1 + app.open_pages());
    let under_way = responses + app.tasks.len();
    json!({
        "version": env!("CARGO_PKG_VERSION"), "tier": app.rules.planner.tier.name(), "under_way": under_way,
        "anthropic": anthropic.as_str(), "openai": openai.as_str(),
    })
}

async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> impl IntoResponse {
    let (figures, ready) = tokio::join!(queue_counts(&app), readiness(&app));
    let mut registry = app.counts.registry(&app.rules.queue_name, figures);
    register_ready(&mut registry, ready.is_ok());
    let accept = headers.get_all(header::ACCEPT).into_iter();
    let page = page(&registry, accept.filter_map(|value| value.to_str().ok()));
    ([(header::CONTENT_TYPE, page.content_type)], page.text)
}

async fn queue_counts(app: &App) -> Option<(Depth, Totals)> {
    tokio::time::timeout(COUNTS_TIMEOUT, app.jobs.queue.counts())
        .await
        .ok()?
        .ok()
}
