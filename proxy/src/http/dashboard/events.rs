//! The page's live part: the overview as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use http::{Response, StatusCode};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{error, overview};
use crate::app::App;

/// Time between two looks at what may have changed.
const INTERVAL: Duration = Duration::from_secs(1);

/// What one page was sent.
struct Watch {
    app: Arc<App>,
    ticks: Interval,
    last: Option<Value>,
    _place: OwnedSemaphorePermit,
}

/// An event with the whole overview at once, and whenever it has changed since; the stream ends when the proxy is about to stop.
pub(super) async fn respond(State(app): State<Arc<App>>) -> Response<Body> {
    let Ok(place) = Arc::clone(&app.pages).try_acquire_owned() else {
        let message = "so many pages are open that this one is not kept up to date: close some";
        return error(StatusCode::SERVICE_UNAVAILABLE, message);
    };
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watch = Watch {
        app,
        ticks,
        last: None,
        _place: place,
    };
    let events = stream::unfold(watch, async |mut watch| {
        let event = watch.next().await?;
        Some((Ok::<_, Infallible>(event), watch))
    });
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}

impl Watch {
    /// The next event; `None` when the proxy is about to stop.
    async fn next(&mut self) -> Option<Event> {
        loop {
            self.ticks.tick().await;
            if self.app.is_draining() {
                return None;
            }
            let overview = overview::read(&self.app).await;
            if self
                .last
                .as_ref()
                .is_none_or(|last| differs(last, &overview))
            {
                let event = Event::default().event("overview");
                let event = event.data(overview.to_string());
                self.last = Some(overview);
                return Some(event);
            }
        }
    }
}

/// Whether anything but times has changed.
fn differs(last: &Value, overview: &Value) -> bool {
    match (last, overview) {
        (Value::Object(last), Value::Object(now)) => {
            last.len() != now.len()
                || now.iter().any(|(name, value)| {
                    let is_time = matches!(
                        name.as_str(),
                        "now_ms"
                            | "at"
                            | "age_ms"
                            | "oldest_ms"
                            | "heartbeat_ms"
                            | "due_in_ms"
                            | "since_ms"
                    );
                    !is_time && last.get(name).is_none_or(|last| differs(last, value))
                })
        }
        (Value::Array(last), Value::Array(now)) => {
            last.len() != now.len() || last.iter().zip(now).any(|(last, now)| differs(last, now))
        }
        _ => last != overview,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn time_alone_is_no_change() {
        let first = json!({"now_ms": 1, "queue": {"jobs": [{"id": "a", "age_ms": 5}]}});
        let later = json!({"now_ms": 2, "queue": {"jobs": [{"id": "a", "age_ms": 6}]}});
        let other = json!({"now_ms": 2, "queue": {"jobs": [{"id": "b", "age_ms": 6}]}});
        let fewer = json!({"now_ms": 2, "queue": {"jobs": []}});
        assert!(!differs(&first, &later));
        assert!(differs(&first, &other));
        assert!(differs(&first, &fewer));
        assert!(differs(&first, &json!({"now_ms": 1})));
    }
}
