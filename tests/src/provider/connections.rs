//! The provider's connections, and what becomes of each request on them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use headroom_shared::contract::usage::Usage;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::answer::{self, Body, Reply};
use super::says::{self, Says};
use super::websocket::{self, Handshake};
use super::{Received, Shared, steps};
use crate::raw::handshake::{self, Agreed};

/// Serves all connections, until it is dropped.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let hang_up = {
                let state = shared.state.lock().expect("no panic");
                state.connections.child_token()
            };
            let agreed = Agreed::default();
            let service = service_fn(|request| handle(request, &shared, &hang_up, &agreed));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            let serve = async {
                let _ = connection.await;
                if let Some((socket, handshake)) = agreed.take().await {
                    websocket::serve(socket, handshake, &shared).await;
                }
            };
            tokio::select! {
                () = serve => {}
                () = hang_up.cancelled() => {}
            }
        });
    }
}

async fn handle(
    mut request: Request<Incoming>,
    shared: &Shared,
    hang_up: &CancellationToken,
    agreed: &Agreed<Handshake>,
) -> Result<Response<Body>, Infallible> {
    if handshake::asks(&request) {
        let left = Handshake {
            target: request.uri().to_string(),
            headers: request.headers().clone(),
        };
        agreed.note(&mut request, left);
        return Ok(handshake::agreement(request.headers()).map(|()| answer::whole(Bytes::new())));
    }
    let (head, body) = request.into_parts();
    let over = CancellationToken::new();
    let guard = over.clone().drop_guard();
    let Ok(body) = body.collect().await else {
        hang_up.cancel();
        return std::future::pending().await;
    };
    let received = Received {
        method: head.method,
        target: head.uri.to_string(),
        headers: head.headers,
        body: body.to_bytes(),
        at: Instant::now(),
        over,
    };
    let (reply, usage) = {
        let mut state = shared.state.lock().expect("no panic");
        let usage = state.cache.serve(&received.target, &received.body);
        state.received.push(received.clone());
        let scripted = state.replies.pop_front();
        let reply =
            scripted.unwrap_or_else(|| Reply::Well(steps::next(&state.steps, &received.body)));
        (reply, usage)
    };
    shared.arrived.notify_waiters();
    Ok(respond(reply, &received, usage, hang_up, guard).await)
}

async fn respond(
    reply: Reply,
    received: &Received,
    usage: Usage,
    hang_up: &CancellationToken,
    guard: DropGuard,
) -> Response<Body> {
    match reply {
        Reply::Well(says) => says::well(received, &says, usage),
        Reply::Late(when) => {
            let _ = when.await;
            says::well(received, &Says::Ok, usage)
        }
        Reply::Fixed(response) => response.map(|bytes| answer::whole(Bytes::from(bytes))),
        Reply::FixedLate(when, response) => {
            let _ = when.await;
            response.map(|bytes| answer::whole(Bytes::from(bytes)))
        }
        Reply::Gated(response) => response.map(|pieces| answer::gated(pieces, guard)),
        Reply::Hang => {
            let _held = guard;
            std::future::pending().await
        }
        Reply::HangUp => {
            hang_up.cancel();
            std::future::pending().await
        }
    }
}
