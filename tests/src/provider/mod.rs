//! A provider on loopback that speaks the three dialects, Responses on a WebSocket too, answers as the test says, and keeps what
//! it got.

mod answer;
mod connections;
mod says;
mod sink;
mod steps;
mod websocket;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use headroom_proxy::simulation::prompt_cache::PromptCache;
use hyper::{HeaderMap, Method};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use self::answer::{Gate, Reply};
pub use self::says::{Says, Tool};
pub use self::sink::Sink;
pub use self::steps::Step;
use crate::wait;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, byte for byte.
    pub body: Bytes,
    /// When all of it was there.
    pub at: Instant,
    /// Cancelled when the answer is over or the other side has gone.
    pub over: CancellationToken,
}

impl Received {
    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        path(&self.target)
    }

    /// All values of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values
            .map(|value| value.to_str().unwrap_or("(not text)"))
            .collect()
    }
}

fn path(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

#[derive(Debug, Default)]
struct State {
    replies: VecDeque<Reply>,
    steps: Vec<Step>,
    received: Vec<Received>,
    cache: PromptCache,
    /// Cancelled when all connections that are open are to be closed.
    connections: CancellationToken,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Notify,
}

/// The provider. It ends when dropped.
#[derive(Debug)]
pub struct Provider {
    url: String,
    shared: Arc<Shared>,
    _accept: JoinSet<()>,
}

impl Provider {
    /// Starts one that answers every request well.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Self {
        Self::start_on("127.0.0.1").await
    }

    /// Starts one on another address of this machine.
    ///
    /// # Panics
    /// When no port is free there.
    pub async fn start_on(host: &str) -> Self {
        let listener = TcpListener::bind((host, 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let shared = Arc::new(Shared::default());
        let mut accept = JoinSet::new();
        accept.spawn(connections::serve(listener, Arc::clone(&shared)));
        Self {
            url,
            shared,
            _accept: accept,
        }
    }

    /// Its URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Answers the next request that has no answer yet like this.
    ///
    /// # Panics
    /// When the provider panicked before.
    pub fn script(&self, reply: Reply) {
        self.shared
            .state
            .lock()
            .expect("no panic")
            .replies
            .push_back(reply);
    }

    /// Makes the model take these steps in every conversation that has tools, one for each tool result that is in it already.
    /// Replies that are scripted come first.
    ///
    /// # Panics
    /// When the provider panicked before.
    pub fn take_steps(&self, steps: Vec<Step>) {
        self.shared.state.lock().expect("no panic").steps = steps;
    }

    /// Changes the model of the prompt cache.
    ///
    /// # Panics
    /// When the provider panicked before.
    pub fn cache<T>(&self, change: impl FnOnce(&mut PromptCache) -> T) -> T {
        change(&mut self.shared.state.lock().expect("no panic").cache)
    }

    /// Takes the oldest request that was not taken yet, and waits for it if there is none.
    ///
    /// # Panics
    /// When none comes.
    pub async fn next(&self) -> Received {
        self.take("a request to arrive", |_| true).await
    }

    /// Takes the request that carries this value of `x-test-id`.
    ///
    /// # Panics
    /// When none comes.
    pub async fn with_id(&self, id: &str) -> Received {
        self.take("the request with an id", |request| {
            request.header("x-test-id") == [id]
        })
        .await
    }

    /// Takes the request that carries this value of `x-test-id`, if it has arrived.
    ///
    /// # Panics
    /// When the provider panicked before.
    #[must_use]
    pub fn arrived(&self, id: &str) -> Option<Received> {
        self.take_now(|request| request.header("x-test-id") == [id])
    }

    /// How many requests arrived that were not taken.
    ///
    /// # Panics
    /// When the provider panicked before.
    #[must_use]
    pub fn untaken(&self) -> usize {
        self.shared.state.lock().expect("no panic").received.len()
    }

    /// The values of `x-test-id` of all requests that arrived and were not taken.
    ///
    /// # Panics
    /// When the provider panicked before.
    #[must_use]
    pub fn untaken_ids(&self) -> Vec<String> {
        let state = self.shared.state.lock().expect("no panic");
        let ids = |request: &Received| request.header("x-test-id").concat();
        state.received.iter().map(ids).collect()
    }

    /// Closes all connections that are open.
    ///
    /// # Panics
    /// When the provider panicked before.
    pub fn hang_up(&self) {
        let open = &mut self.shared.state.lock().expect("no panic").connections;
        std::mem::take(open).cancel();
    }

    async fn take(&self, what: &str, wanted: impl Fn(&Received) -> bool) -> Received {
        wait::soon(what, async {
            loop {
                // Registered before looking, so that no arrival is missed.
                let arrived = self.shared.arrived.notified();
                if let Some(request) = self.take_now(&wanted) {
                    return request;
                }
                arrived.await;
            }
        })
        .await
    }

    fn take_now(&self, wanted: impl Fn(&Received) -> bool) -> Option<Received> {
        let received = &mut self.shared.state.lock().expect("no panic").received;
        let at = received.iter().position(wanted)?;
        Some(received.remove(at))
    }
}
