//! The one connection to Redis: made, watched and remade in the background.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, ServerErrorKind, cmd,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::config::RedisUrl;
use crate::store::StoreError;

/// How long making a connection may take, with its handshake.
const CONNECT: Duration = Duration::from_secs(2);
/// How long an answer may take where the caller sets no shorter budget: enough for 5 MB over a slow line.
const RESPONSE: Duration = Duration::from_secs(2);
/// How often an idle connection is tried.
const PING_EVERY: Duration = Duration::from_secs(1);
/// How long an answer to a ping may take.
const PING: Duration = Duration::from_millis(500);
/// How many pings in a row go unanswered before Redis counts as away: one slow answer does not.
const UNANSWERED: u32 = 3;
/// The first pause between two attempts to connect; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two attempts to connect.
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// When the system's own probes of a silent peer begin, and their distance.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// What is known of Redis.
#[derive(Clone)]
enum State {
    /// No attempt has ended yet.
    Connecting,
    Up(MultiplexedConnection),
    Away(RedisError),
}

/// What a call tells the watcher of its connection.
enum Doubt {
    /// It failed or was given up: try the connection now.
    Unanswered,
    /// The server has become one that can't be written to: look for its successor.
    Replaced(RedisError),
}

/// A connection to Redis that mends itself. While Redis is away, calls fail at once.
pub(super) struct Link {
    state: watch::Receiver<State>,
    doubts: mpsc::Sender<Doubt>,
    answers: Arc<AtomicU64>,
    _end: DropGuard,
}

impl Link {
    /// Begins to connect. Must be called within a runtime.
    pub(super) fn new(url: &RedisUrl) -> Result<Self, StoreError> {
        let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(
            TcpKeepalive::new()
                .with_time(KEEPALIVE)
                .with_interval(KEEPALIVE),
        );
        let info = url.connection_info().clone().set_tcp_settings(tcp);
        let client =
            Client::open(info).map_err(|error| StoreError::redis("setting up Redis", error))?;
        let (published, state) = watch::channel(State::Connecting);
        let (doubts, doubted) = mpsc::channel(1);
        let answers = Arc::new(AtomicU64::new(0));
        let end = CancellationToken::new();
        let watcher = Watcher {
            client,
            url: url.clone(),
            published,
            doubted,
            answers: Arc::clone(&answers),
        };
        let tasks = TaskTracker::new();
        tasks.spawn(end.clone().run_until_cancelled_owned(watcher.run()));
        tasks.close();
        Ok(Self {
            state,
            doubts,
            answers,
            _end: end.drop_guard(),
        })
    }

    /// Runs one call. The future may be dropped at any time: the connection skips the answer.
    pub(super) async fn call<T, F>(
        &self,
        what: &'static str,
        run: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let connection = self
            .connection()
            .await
            .map_err(|error| StoreError::redis(what, error))?;
        let mut waiting = Waiting {
            link: self,
            doubt: Some(Doubt::Unanswered),
        };
        let result = run(connection).await;
        waiting.doubt = match &result {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) => {
                Some(Doubt::Replaced(error.clone()))
            }
            Err(error) if error.is_timeout() || error.is_unrecoverable_error() => {
                Some(Doubt::Unanswered)
            }
            Ok(_) | Err(_) => {
                self.answers.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        result.map_err(|error| StoreError::redis(what, error))
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let mut state = self.state.clone();
        let known = state
            .wait_for(|state| !matches!(state, State::Connecting))
            .await
            .map(|state| state.clone());
        match known {
            Ok(State::Up(connection)) => Ok(connection),
            Ok(State::Away(error)) => Err(error),
            Ok(State::Connecting) | Err(_) => {
                Err((ErrorKind::Io, "the runtime is shutting down").into())
            }
        }
    }
}

/// A call under way. Its end, and its being given up, may raise a doubt about the connection.
struct Waiting<'a> {
    link: &'a Link,
    doubt: Option<Doubt>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(doubt) = self.doubt.take() {
            // Full: the watcher has a doubt to look into already.
            let _ = self.link.doubts.try_send(doubt);
        }
    }
}

/// Makes the connection, tries it, and makes it again.
struct Watcher {
    client: Client,
    url: RedisUrl,
    published: watch::Sender<State>,
    doubted: mpsc::Receiver<Doubt>,
    answers: Arc<AtomicU64>,
}

impl Watcher {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    tracing::info!(redis.address = %self.url, "Redis answers");
                    let since = Instant::now();
                    self.published.send_replace(State::Up(connection.clone()));
                    let cause = self.watch(connection).await;
                    self.away(cause);
                    if since.elapsed() > LAST_PAUSE {
                        pause = FIRST_PAUSE;
                    }
                }
                Err(error) => self.away(error),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(RESPONSE));
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        // A server that is loading its data accepts connections too.
        cmd("PING").exec_async(&mut connection).await?;
        Ok(connection)
    }

    /// Says once that Redis is away, and why.
    fn away(&self, cause: RedisError) {
        let before = self.published.send_replace(State::Away(cause.clone()));
        if !matches!(before, State::Away(_)) {
            tracing::warn!(redis.address = %self.url, error = %cause, "Redis is away");
        }
    }

    /// Tries the connection now and then, and at each doubt, until it is of no more use; gives the reason.
    async fn watch(&mut self, mut connection: MultiplexedConnection) -> RedisError {
        let mut unanswered = 0;
        loop {
            if unanswered == 0 {
                match timeout(PING_EVERY, self.doubted.recv()).await {
                    Ok(Some(Doubt::Replaced(error))) => return error,
                    Ok(Some(Doubt::Unanswered) | None) | Err(_) => {}
                }
            }
            let answers = self.answers.load(Ordering::Relaxed);
            match timeout(PING, cmd("PING").exec_async(&mut connection)).await {
                Ok(Ok(())) => unanswered = 0,
                Ok(Err(error)) if !error.is_timeout() => return error,
                // A large answer may have held up the ping's.
                _ if self.answers.load(Ordering::Relaxed) != answers => unanswered = 0,
                _ => unanswered += 1,
            }
            if unanswered == UNANSWERED {
                return (ErrorKind::Io, "Redis does not answer").into();
            }
        }
    }
}
