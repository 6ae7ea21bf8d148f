//! The listener: takes connections, hands requests to the routes, and drains when it is told to stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::app::App;

/// Why a connection ended early.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// How long a client may take to send the next request's headers. It counts from the end of the one before, so it is longer than
/// clients keep idle connections (90 s is common).
const HEADERS_TIMEOUT: Duration = Duration::from_secs(150);
/// When the system asks a silent client's system whether it is still there, and after how long without an answer it is gone.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(20))
    .with_retries(3);
/// How long requests that are on their way may take to end after a stop.
const DRAIN: Duration = Duration::from_secs(25);
/// How long to wait when the system can't accept a connection (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is done and what was on its way has ended, or the drain time is over. While it drains it still answers, so
/// that `/readyz` can say so.
pub(crate) async fn serve(
    app: Arc<App>,
    routes: Router,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let connections = TaskTracker::new();
    let accept = async || loop {
        let stream = accepted(&listener).await;
        connections.spawn(log(graceful.watch(connection(stream, routes.clone()))));
    };
    tokio::select! {
        () = accept() => {}
        () = stop => {}
    }
    app.draining.store(true, Ordering::Relaxed);
    let drained = async {
        graceful.shutdown().await;
        app.tasks.close();
        app.tasks.wait().await;
    };
    let accept = async || loop {
        let stream = accepted(&listener).await;
        connections.spawn(log(connection(stream, routes.clone())));
    };
    tokio::select! {
        () = accept() => {}
        drained = tokio::time::timeout(DRAIN, drained) => if drained.is_err() {
            tracing::warn!(seconds = DRAIN.as_secs(), "some requests did not end in time and are cut off");
        }
    }
}

async fn accepted(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection.
fn connection(stream: TcpStream, routes: Router) -> impl GracefulConnection<Error = Failed> + Send {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not turn off Nagle's algorithm");
    }
    // A client that vanished without a word would hold its connection, and a WebSocket its provider's too, for ever.
    if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE) {
        tracing::debug!(%error, "could not have the system ask whether a client is still there");
    }
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    let service = TowerToHyperService::new(routes);
    builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .into_owned()
}

async fn log(served: impl Future<Output = Result<(), Failed>>) {
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection ended early");
    }
}
