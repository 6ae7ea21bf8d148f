//! A provider on loopback that throws away what it gets, counts the bytes, and notes when a request begins to arrive.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The provider. It ends when dropped.
#[derive(Debug)]
pub struct Sink {
    url: String,
    got: Arc<Got>,
    _accept: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Got {
    bytes: AtomicU64,
    last_head: Mutex<Option<Instant>>,
}

impl Sink {
    /// Starts one.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let got = Arc::<Got>::default();
        let mut accept = JoinSet::new();
        accept.spawn(serve(listener, got.clone()));
        Self {
            url,
            got,
            _accept: accept,
        }
    }

    /// Its URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Bytes of bodies that it got.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.got.bytes.load(Ordering::Relaxed)
    }

    /// When the head of the last request had arrived; `None` before the first.
    #[must_use]
    pub fn last_head(&self) -> Option<Instant> {
        *self
            .got
            .last_head
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, got: Arc<Got>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let got = got.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let got = got.clone();
            let mut head = got.last_head.lock().unwrap_or_else(PoisonError::into_inner);
            *head = Some(Instant::now());
            drop(head);
            async move {
                let mut body = request.into_body();
                while let Some(Ok(frame)) = body.frame().await {
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    got.bytes.fetch_add(length as u64, Ordering::Relaxed);
                }
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"{}"))))
            }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move {
            let _ = connection.await;
        });
        while connections.try_join_next().is_some() {}
    }
}
