//! The listener: takes connections, and drains when it is told to stop. A connection begins with [`connection`], which answers the
//! usual requests itself ([`head`]: is it one? [`body`], [`answer`]). The first that is anything else goes to hyper and the
//! routes, and its connection with it ([`rewound`]).

mod answer;
mod body;
mod connection;
mod head;
mod rewound;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::Response;
use http::request::Parts;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::connection::{Answers, Connection, HEADERS_TIMEOUT};
use self::rewound::Rewound;
use crate::app::App;
use crate::body::Unread;
use crate::dialect::Dialect;
use crate::handler;

/// Why a connection ended early.
type Failed = Box<dyn std::error::Error + Send + Sync>;

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
    let accept = async |connections: &TaskTracker, stopping: &CancellationToken| loop {
        let stream = accepted(&listener).await;
        let served = serve_connection(stream, app.clone(), routes.clone(), stopping.clone());
        connections.spawn(served.map(log));
    };
    let (connections, stopping) = (TaskTracker::new(), CancellationToken::new());
    tokio::select! {
        () = accept(&connections, &stopping) => {}
        () = stop => {}
    }
    app.draining.store(true, Ordering::Relaxed);
    stopping.cancel();
    let drained = async {
        connections.close();
        connections.wait().await;
        app.tasks.close();
        app.tasks.wait().await;
    };
    // Those that come late are served for as long as this lasts, which is not for their sake.
    let (late, never) = (TaskTracker::new(), CancellationToken::new());
    tokio::select! {
        () = accept(&late, &never) => {}
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
async fn serve_connection(
    stream: TcpStream,
    app: Arc<App>,
    routes: Router,
    stopping: CancellationToken,
) -> Result<(), Failed> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not turn off Nagle's algorithm");
    }
    // A client that vanished without a word would hold its connection, and a WebSocket its provider's too, for ever.
    if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE) {
        tracing::debug!(%error, "could not have the system ask whether a client is still there");
    }
    match Connection::new(stream).serve(&app, &stopping).await? {
        // In a box: its state is larger by far than that of a connection that waits.
        Some(unplain) => Box::pin(any(unplain, routes, &stopping)).await,
        None => Ok(()),
    }
}

impl Answers for Arc<App> {
    async fn answer(
        &self,
        dialect: &'static dyn Dialect,
        parts: Parts,
        received: Result<Bytes, Unread>,
    ) -> Response<Body> {
        handler::answer(self.clone(), dialect, parts, received).await
    }

    fn most_body(&self) -> usize {
        self.rules.max_body_bytes
    }
}

/// Serves a connection with any requests.
async fn any(
    stream: Rewound<TcpStream>,
    routes: Router,
    stopping: &CancellationToken,
) -> Result<(), Failed> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    let service = TowerToHyperService::new(routes);
    let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    tokio::select! {
        biased;
        ended = &mut served => return ended,
        () = stopping.cancelled() => served.as_mut().graceful_shutdown(),
    }
    served.await
}

fn log(ended: Result<(), Failed>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
