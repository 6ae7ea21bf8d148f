//! The HTTP listener: `/livez`, `/readyz` and `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use headroom_shared::metrics::{Started, page, register_log, register_queue, register_ready};
use headroom_shared::queue::{Depth, JobQueue, Totals};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::status::Status;

/// How long a scrape waits for the numbers of jobs.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(1);

/// What the listener serves.
#[derive(Debug)]
pub(crate) struct HttpState {
    status: Arc<Status>,
    metrics: Metrics,
    started: Started,
    queue: Arc<dyn JobQueue>,
    /// The name of the queue in the metrics.
    queue_name: String,
}

impl HttpState {
    pub(crate) fn new(
        (status, metrics): (Arc<Status>, Metrics),
        (queue, queue_name): (Arc<dyn JobQueue>, String),
    ) -> Arc<Self> {
        Arc::new(Self {
            status,
            metrics,
            started: Started::default(),
            queue,
            queue_name,
        })
    }

    /// All metrics, with the queue's figures where it could be asked: no number is better than an old one.
    fn registry(&self, queue: Option<(Depth, Totals)>) -> Registry {
        let mut registry = Registry::default();
        let version = env!("CARGO_PKG_VERSION");
        self.started
            .register(&mut registry, "headroom-worker", version);
        register_log(&mut registry);
        register_ready(&mut registry, self.status.ready().is_ok());
        self.metrics.register(&mut registry);
        if let Some(figures) = queue {
            register_queue(&mut registry, &self.queue_name, figures);
        }
        registry
    }
}

/// Listens at `host` and `port`.
pub(crate) async fn bind(host: &str, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((host, port)).await.with_context(|| {
        format!("can't listen on {host}:{port} (HEADROOM_HOST, HEADROOM_WORKER_PORT)")
    })
}

/// Serves until `end`.
pub(crate) async fn serve(listener: TcpListener, state: Arc<HttpState>, end: CancellationToken) {
    let routes = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(state);
    let served = axum::serve(listener, routes).with_graceful_shutdown(end.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(error.message = %error, "the listener for health and metrics ended");
    }
}

async fn readyz(State(state): State<Arc<HttpState>>) -> (StatusCode, String) {
    match state.status.ready() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason + "\n"),
    }
}

async fn metrics(State(state): State<Arc<HttpState>>, headers: HeaderMap) -> impl IntoResponse {
    let asked = tokio::time::timeout(SCRAPE_TIMEOUT, state.queue.counts()).await;
    let registry = state.registry(asked.ok().and_then(Result::ok));
    let accept = headers.get_all(header::ACCEPT).into_iter();
    let page = page(&registry, accept.filter_map(|value| value.to_str().ok()));
    ([(header::CONTENT_TYPE, page.content_type)], page.text)
}
