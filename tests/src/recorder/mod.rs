//! A hop between a client and the proxy that keeps what the client sent, byte for byte, and names each request for the provider.

mod websocket;

use std::convert::Infallible;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use self::websocket::Line;
use crate::http::Call;
use crate::raw::handshake::{self, Agreed};

/// A request as it left the client, and what the proxy says of it. One on a WebSocket is a text message.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// What it was passed on with as `x-test-id`.
    pub id: String,
    /// Method, path and query.
    pub target: String,
    /// Its body, byte for byte.
    pub body: Bytes,
    /// The proxy's decision; empty on a WebSocket.
    pub decision: String,
    /// The answer's status, on a WebSocket that of its handshake.
    pub status: u16,
}

#[derive(Debug, Default)]
struct Shared {
    to: String,
    recorded: Mutex<Vec<Recorded>>,
    /// How many times a `WebSocket` was asked for.
    websockets: AtomicUsize,
}

/// The hop. It ends when dropped.
#[derive(Debug)]
pub struct Recorder {
    addr: String,
    shared: Arc<Shared>,
    _accept: JoinSet<()>,
}

/// What speaks of a connection, or is set anew for the next one.
const OF_THE_HOP: [header::HeaderName; 4] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
];

impl Recorder {
    /// Starts one before the proxy that listens at `to` (host and port).
    ///
    /// # Panics
    /// When no port is free.
    pub async fn before(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("its address").to_string();
        let shared = Arc::new(Shared {
            to: to.to_owned(),
            ..Shared::default()
        });
        let mut accept = JoinSet::new();
        accept.spawn(serve(listener, Arc::clone(&shared)));
        Self {
            addr,
            shared,
            _accept: accept,
        }
    }

    /// Host and port where it listens.
    #[must_use]
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// All requests so far, in the order in which they came.
    ///
    /// # Panics
    /// When the hop panicked before.
    #[must_use]
    pub fn recorded(&self) -> Vec<Recorded> {
        self.shared.recorded.lock().expect("no panic").clone()
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let agreed = Agreed::default();
            let service = service_fn(|request| pass_on(request, &shared, &agreed));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            let _ = connection.await;
            if let Some((client, line)) = agreed.take().await {
                line.join(client, &shared).await;
            }
        });
    }
}

async fn pass_on(
    request: Request<Incoming>,
    shared: &Shared,
    agreed: &Agreed<Line>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if handshake::asks(&request) {
        return Ok(Line::agree(request, shared, agreed).await);
    }
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        // The client has gone in the middle of its request.
        return Ok(failed());
    };
    let body = body.to_bytes();
    let (at, id) = {
        let mut recorded = shared.recorded.lock().expect("no panic");
        let id = format!("recorded/{}", recorded.len());
        recorded.push(Recorded {
            id: id.clone(),
            target: format!("{} {}", head.method, head.uri),
            body: body.clone(),
            decision: String::new(),
            status: 0,
        });
        (recorded.len() - 1, id)
    };
    let mut call = Call::new(head.method.as_str(), &head.uri.to_string()).body(body);
    for (name, value) in &head.headers {
        if !OF_THE_HOP.contains(name) {
            call = call.header(name.as_str(), value.to_str().unwrap_or_default());
        }
    }
    let call = call.header("x-test-id", &id);
    let Ok(answer) = call.try_send(&shared.to).await else {
        return Ok(failed());
    };
    {
        let recorded = &mut shared.recorded.lock().expect("no panic")[at];
        recorded.decision = answer.decision();
        recorded.status = answer.status();
    }
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if !OF_THE_HOP.contains(name) {
            response = response.header(name, value);
        }
    }
    let body = answer.try_bytes().await.unwrap_or_default();
    Ok(response.body(Full::new(body)).expect("a response"))
}

fn failed() -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = hyper::StatusCode::BAD_GATEWAY;
    response
}
