//! The queue, for `headroom-proxy queue`; and what may be done to it from there and from the page: replay and drop a job.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use headroom_shared::queue::DropError;
use http::{HeaderMap, Response, StatusCode, Uri};
use serde_json::json;
use url::form_urlencoded;

use super::{error, overview};
use crate::app::App;
use crate::http::json_text::json_text;
use crate::page_token::TOKEN_HEADER;

/// How long the queue may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// So many jobs of each state are told at most, and so many dead letters.
const LIMIT: NonZeroU32 = NonZeroU32::new(500).unwrap();

/// Its state, the jobs that are not done, and the dead letters: at most `limit` of each state, where the request says that.
pub(super) async fn read(State(app): State<Arc<App>>, uri: Uri) -> Response<Body> {
    let query = uri.query().unwrap_or_default().as_bytes();
    let asked = form_urlencoded::parse(query).find(|(name, _)| name == "limit");
    let asked = asked.and_then(|(_, limit)| limit.parse::<NonZeroU32>().ok());
    let limit = asked.map_or(LIMIT, |asked| asked.min(LIMIT));
    match overview::read_queue(app.admin.as_ref(), limit).await {
        Ok(queue) => json_text(StatusCode::OK, &queue),
        Err(away) => error(StatusCode::SERVICE_UNAVAILABLE, &away.to_string()),
    }
}

/// Does it for who has the token and is no page of another origin.
pub(super) async fn act(
    State(app): State<Arc<App>>,
    Path((action, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response<Body> {
    if app.rules.own_hosts.is_cross_origin(&headers) {
        return error(
            StatusCode::FORBIDDEN,
            "a web page of another origin may not do this",
        );
    }
    let token = headers.get(TOKEN_HEADER);
    if !token.is_some_and(|token| app.rules.page_token.is(token.as_bytes())) {
        let message = "this takes the token that the proxy printed when it started, in the header x-headroom-token";
        return error(StatusCode::UNAUTHORIZED, message);
    }
    let done = async {
        match action.as_str() {
            "replay" => replay(&app, &id).await,
            "drop" => drop_job(&app, &id).await,
            _ => error(
                StatusCode::NOT_FOUND,
                "jobs are replayed (replay) and dropped (drop) here",
            ),
        }
    };
    tokio::time::timeout(TIMEOUT, done)
        .await
        .unwrap_or_else(|_| {
            let message = "the queue did not answer within 5 s; it may be done all the same";
            error(StatusCode::GATEWAY_TIMEOUT, message)
        })
}

async fn replay(app: &App, id: &str) -> Response<Body> {
    match app.admin.replay(id).await {
        Ok(outcome) => match outcome.refused.first() {
            Some(refused) => error(StatusCode::CONFLICT, &refused.reason),
            None => json_text(StatusCode::OK, &json!(outcome)),
        },
        Err(away) => error(StatusCode::SERVICE_UNAVAILABLE, &away.to_string()),
    }
}

async fn drop_job(app: &App, id: &str) -> Response<Body> {
    match app.admin.drop_job(id).await {
        Ok(from) => json_text(StatusCode::OK, &json!({"dropped": id, "was": from})),
        Err(refused) => {
            let status = match refused {
                DropError::Unknown(_) => StatusCode::NOT_FOUND,
                DropError::Active { .. } | DropError::Moves(_) => StatusCode::CONFLICT,
                DropError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            error(status, &refused.to_string())
        }
    }
}
