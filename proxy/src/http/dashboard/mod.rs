//! The page: what the proxy saves, what it does just now, and the queue. Its files are in the binary, and it asks nobody but this proxy.
//!
//! | path | what |
//! |---|---|
//! | `/` (which [`routes`](super::routes) shows), `/dashboard` | the page |
//! | `/dashboard/events` | [`overview`] as server-sent events, whenever it has changed |
//! | `/dashboard/overview` | the same once |
//! | `/dashboard/conversations/{id}` | the requests of a conversation, and the blocks of the last one |
//! | `/dashboard/conversations/{id}/blocks/{index}` | the texts of a block, where `HEADROOM_SHOW_TEXT` is on |
//! | `/dashboard/queue` | the queue, for `headroom-proxy queue` |
//! | `/dashboard/queue/{action}/{id}` | replays or drops a job, for who has the token |

mod events;
mod overview;
mod queue;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::middleware;
use axum::response::IntoResponse as _;
use axum::routing::{any, get, post};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::activity::ConversationId;
use crate::app::App;
use crate::http::json_text::json_text;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page may load what this origin serves, and be in no frame of another.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// The routes. Their hosts must be checked before.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/dashboard", get(async || page()))
        .route(
            "/dashboard/page.css",
            get(async || file("text/css; charset=utf-8", STYLE)),
        )
        .route(
            "/dashboard/page.js",
            get(async || file("text/javascript; charset=utf-8", SCRIPT)),
        )
        .route("/dashboard/events", get(events::respond))
        .route(
            "/dashboard/overview",
            get(async |State(app): State<Arc<App>>| {
                json_text(StatusCode::OK, &overview::read(&app).await)
            }),
        )
        .route("/dashboard/conversations/{id}", get(conversation))
        .route(
            "/dashboard/conversations/{id}/blocks/{index}",
            get(block_texts),
        )
        .route("/dashboard/queue", get(queue::read))
        .route("/dashboard/queue/{action}/{id}", post(queue::act))
        .route(
            "/dashboard/{*path}",
            any(async || error(StatusCode::NOT_FOUND, "the page is at /dashboard")),
        )
        .layer(middleware::map_response(async |response| guarded(response)))
}

/// The page itself.
pub(super) fn page() -> Response<Body> {
    guarded(file("text/html; charset=utf-8", PAGE))
}

/// A response that is kept out of caches, frames and other pages.
fn guarded(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn file(content_type: &'static str, text: &'static str) -> Response<Body> {
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

fn error(status: StatusCode, message: &str) -> Response<Body> {
    json_text(status, &json!({"error": message}))
}

/// The requests of a conversation, the newest first, and the blocks of the last one, where their texts are kept.
async fn conversation(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response<Body> {
    let Ok(id) = id.parse::<ConversationId>() else {
        return error(StatusCode::NOT_FOUND, "no conversation has this id");
    };
    let turns = app.activity.turns_of(id);
    let texts = app.activity.texts.as_ref();
    let blocks = texts.and_then(|texts| texts.blocks(id));
    json_text(StatusCode::OK, &json!({"turns": turns, "blocks": blocks}))
}

/// The texts of a block in the last request of a conversation.
async fn block_texts(
    State(app): State<Arc<App>>,
    Path((id, index)): Path<(String, usize)>,
) -> Response<Body> {
    let Some(texts) = &app.activity.texts else {
        let message = "texts are prompts, and are not shown unless HEADROOM_SHOW_TEXT is on";
        return error(StatusCode::FORBIDDEN, message);
    };
    let id = id.parse::<ConversationId>().ok();
    match id.and_then(|id| texts.block(id, index)) {
        Some(block) => json_text(StatusCode::OK, &json!(block)),
        None => error(
            StatusCode::NOT_FOUND,
            "this block is not kept: only the last requests of the last conversations are",
        ),
    }
}
