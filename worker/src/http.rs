//! The HTTP listener: `/livez`, `/readyz` and `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use headroom_shared::queue::{Depth, JobQueue};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
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
    registry: Registry,
    jobs: Family<[(&'static str, &'static str); 1], Gauge>,
    queue: Arc<dyn JobQueue>,
}

impl HttpState {
    pub(crate) fn new(
        status: Arc<Status>,
        metrics: Metrics,
        queue: Arc<dyn JobQueue>,
    ) -> Arc<Self> {
        let mut registry = Registry::default();
        let jobs = Family::default();
        metrics.register(&mut registry);
        registry.register(
            "headroom_queue_jobs",
            "Jobs in the queue that all workers share, by state; waiting_refresh: refreshes, which run when no other job waits",
            Family::clone(&jobs),
        );
        Arc::new(Self {
            status,
            registry,
            jobs,
            queue,
        })
    }

    fn set_jobs(&self, depth: Depth) {
        for (label, count) in depth.by_state() {
            self.jobs
                .get_or_create(&[("state", label)])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
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

async fn metrics(State(state): State<Arc<HttpState>>) -> impl IntoResponse {
    match tokio::time::timeout(SCRAPE_TIMEOUT, state.queue.counts()).await {
        Ok(Ok((depth, _))) => state.set_jobs(depth),
        // No number is better than an old one.
        Ok(Err(_)) | Err(_) => state.jobs.clear(),
    }
    let mut text = String::new();
    match encode(&mut text, &state.registry) {
        Ok(()) => Ok((
            [(
                header::CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )],
            text,
        )),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
