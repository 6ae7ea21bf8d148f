//! The listener: takes connections, hands requests to the routes, and drains when it is told to stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::app::App;

/// How long a client may take to send the next request's headers. It counts from the end of the one before, so it is longer than
/// clients keep idle connections (90 s is common).
const HEADERS_TIMEOUT: Duration = Duration::from_secs(150);
/// How long requests that are on their way may take to end after a stop.
const DRAIN: Duration = Duration::from_secs(25);
/// How long to wait when the system can't accept a connection (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is done and what was on its way has ended, or the drain time is over.
pub(crate) async fn serve(
    app: Arc<App>,
    routes: Router,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let connections = TaskTracker::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => connection(stream, &routes, &graceful, &connections),
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    app.draining.store(true, Ordering::Relaxed);
    drop(listener);
    let drained = async {
        graceful.shutdown().await;
        app.tasks.close();
        app.tasks.wait().await;
    };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        tracing::warn!(
            seconds = DRAIN.as_secs(),
            "some requests did not end in time and are cut off"
        );
    }
}

fn connection(
    stream: TcpStream,
    routes: &Router,
    graceful: &GracefulShutdown,
    connections: &TaskTracker,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not turn off Nagle's algorithm");
    }
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    let service = TowerToHyperService::new(routes.clone());
    let served = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .into_owned();
    let served = graceful.watch(served);
    connections.spawn(async move {
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
}
