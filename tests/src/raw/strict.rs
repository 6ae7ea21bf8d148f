//! A provider that reads as strictly as it can and keeps what it read.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use tokio::task::JoinSet;

use super::{Message, Socket, Sockets};

/// What came on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// A whole request.
    Whole(Message),
    /// A request that was cut off in the middle.
    Cut,
    /// Something that is no request, or could be understood in two ways.
    Nonsense,
}

/// The provider. It answers each request with the request line as the answer's body.
#[derive(Debug)]
pub struct StrictProvider {
    url: String,
    came: Arc<Mutex<Vec<Came>>>,
    _accept: JoinSet<()>,
}

impl StrictProvider {
    /// Starts one.
    pub async fn start() -> Self {
        let sockets = Sockets::listen().await;
        let url = sockets.url();
        let came = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&came);
        let mut accept = JoinSet::new();
        accept.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let socket = sockets.next_whenever().await;
                let keep = Arc::clone(&keep);
                connections.spawn(serve(socket, keep));
            }
        });
        Self {
            url,
            came,
            _accept: accept,
        }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Takes what came since this was asked last.
    ///
    /// # Panics
    /// When the provider panicked before.
    #[must_use]
    pub fn came(&self) -> Vec<Came> {
        std::mem::take(&mut *self.came.lock().expect("no panic"))
    }
}

async fn serve(mut socket: Socket, keep: Arc<Mutex<Vec<Came>>>) {
    loop {
        // What can't be read strictly panics with its reason.
        let read = AssertUnwindSafe(socket.try_message()).catch_unwind().await;
        let came = match read {
            Ok(Ok(Some(message))) => Came::Whole(message),
            Ok(Ok(None)) => return,
            Ok(Err(_)) => Came::Cut,
            Err(_) => Came::Nonsense,
        };
        let Came::Whole(Message { start, .. }) = &came else {
            keep.lock().expect("no panic").push(came);
            return;
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", start.len());
        let answer = format!("{head}{start}");
        keep.lock().expect("no panic").push(came);
        if socket.try_write(answer).await.is_err() {
            return;
        }
    }
}
