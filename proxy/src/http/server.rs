//! The server: accepts connections, serves HTTP/1.1 and HTTP/2 on them, and drains when it is told to stop.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use futures_util::FutureExt as _;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::routes;
use crate::app::App;
use crate::http::{body, settings};
use crate::retrieval::turns::Client;

/// Why a connection ended early.
type ConnectionError = Box<dyn std::error::Error + Send + Sync>;

/// Serves until `stop` is done and requests that are on their way have ended, or the drain time is over. While it drains it still takes
/// requests, so that `/readyz` can say so.
pub(crate) async fn serve(app: Arc<App>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let routes = routes::routes(app.clone());
    let accept = async |connections: &TaskTracker, stopping: &CancellationToken| loop {
        let accepted = accept_one(&listener).await;
        let served = serve_connection(accepted, (app.clone(), routes.clone()), stopping.clone());
        connections.spawn(served.map(log));
    };
    let (connections, stopping) = (TaskTracker::new(), CancellationToken::new());
    tokio::select! {
        () = accept(&connections, &stopping) => {}
        () = stop => {}
    }
    app.draining.store(true, Ordering::Relaxed);
    let (streams, seconds) = (app.streams.len(), app.rules.drain_time.as_secs());
    tracing::info!("draining: {streams} streams, up to {seconds} s; again to end now");
    stopping.cancel();
    let drained = async {
        connections.close();
        connections.wait().await;
        app.tasks.close();
        app.tasks.wait().await;
    };
    // Connections that come late are served for as long as this lasts, and do not make it last longer.
    let (late, never) = (TaskTracker::new(), CancellationToken::new());
    tokio::select! {
        () = accept(&late, &never) => {}
        drained = tokio::time::timeout(app.rules.drain_time, drained) => if drained.is_err() {
            let streams = app.streams.len();
            tracing::warn!(seconds, streams, "some requests did not end in time and are cut off");
        }
    }
}

async fn accept_one(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(settings::ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection. After `stopping`, a request that has begun is its last.
async fn serve_connection(
    (stream, address): (TcpStream, SocketAddr),
    (app, routes): (Arc<App>, Router),
    stopping: CancellationToken,
) -> Result<(), ConnectionError> {
    set_options(&stream);
    let has_request = AtomicBool::new(false);
    let client = Client(Some(address.ip()));
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(|mut request: http::Request<_>| {
        request.extensions_mut().insert(client);
        has_request.store(true, Ordering::Relaxed);
        let (stream, response) = (app.streams.token(), routes.call(request));
        let counted = move |body: Body| body::keeping(body, stream);
        async { Ok::<_, Infallible>(response.await?.map(counted)) }
    });
    let builder = builder();
    let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    // hyper's timeout for a head begins when it knows the HTTP version: this one is for a client that sends too little to tell.
    let silent = async {
        tokio::time::sleep(settings::HEAD_TIMEOUT).await;
        if has_request.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        ended = &mut served => return ended,
        () = stopping.cancelled() => served.as_mut().graceful_shutdown(),
        () = silent => return Ok(()),
    }
    served.await
}

/// Sets the socket options of a client's connection.
fn set_options(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not turn off Nagle's algorithm");
    }
    // A client that vanished would otherwise keep its connection, and a WebSocket its provider's too, for ever.
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&settings::TCP_KEEPALIVE) {
        tracing::debug!(%error, "could not turn on keepalive probes");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings::HEAD_TIMEOUT)
        .max_buf_size(settings::READ_BUFFER);
    builder.http2().timer(TokioTimer::new());
    builder
}

fn log(ended: Result<(), ConnectionError>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
