//! The way to Redis.
//!
//! | file | what |
//! |---|---|
//! | `url` | where it is, how to log in there |
//! | `server` | which server that is now, where sentinels or a cluster's nodes have to be asked |
//! | here | [`Link`]: one connection to it, made, watched and remade in the background |
//!
//! There is no pool: one connection carries the commands of any number of tasks at once, and a pool would ask before each use
//! whether the connection still lives, which is a second round trip for every step.

mod server;
mod url;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, Script, ScriptInvocation,
    ServerErrorKind, cmd, pipe,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::keys::Keys;
use crate::store::StoreError;

pub(crate) use self::server::connect;
pub use self::url::RedisUrl;

/// How long a call whose connection broke waits for the next one.
const REMADE: Duration = Duration::from_millis(500);
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

/// A connection to Redis that mends itself, and follows where sentinels and clusters move the deployment. While Redis is away,
/// calls fail at once; before the first attempt to connect has ended, a call waits for it.
pub struct Link {
    url: RedisUrl,
    tag: String,
    state: watch::Receiver<State>,
    doubts: mpsc::Sender<Doubt>,
    answers: Arc<AtomicU64>,
    /// Of the connection: how many there were.
    number: Arc<AtomicU64>,
    _end: DropGuard,
}

impl Link {
    /// Begins to connect to where `keys` are, for what the log calls `purpose`; an answer may take as long as `answer` where the caller sets no shorter budget.
    /// Redis need not be there yet. Must be called within a tokio runtime, which runs the connection.
    #[must_use]
    pub fn new(purpose: &'static str, url: &RedisUrl, keys: &Keys, answer: Duration) -> Self {
        let (published, state) = watch::channel(State::Connecting);
        let (doubts, doubted) = mpsc::channel(1);
        let (answers, number) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let end = CancellationToken::new();
        let watcher = Watcher {
            purpose,
            url: url.clone(),
            tag: keys.tag().to_owned(),
            answer,
            published,
            doubted,
            answers: Arc::clone(&answers),
            number: Arc::clone(&number),
        };
        let tasks = TaskTracker::new();
        tasks.spawn(end.clone().run_until_cancelled_owned(watcher.run()));
        tasks.close();
        Self {
            url: url.clone(),
            tag: keys.tag().to_owned(),
            state,
            doubts,
            answers,
            number,
            _end: end.drop_guard(),
        }
    }

    /// Where it leads.
    #[must_use]
    pub const fn url(&self) -> &RedisUrl {
        &self.url
    }

    /// A connection of its own to the same place, for commands that block; nobody mends it.
    pub(crate) async fn another(&self, answer: Duration) -> RedisResult<MultiplexedConnection> {
        connect(&self.url, &self.tag, answer).await
    }

    /// Runs one call. The future may be dropped at any time: the connection skips the answer.
    pub(crate) async fn call<T, F>(
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
            Err(error) if has_moved(error) => Some(Doubt::Replaced(error.clone())),
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

    /// Runs one call that may be repeated: if it needs another connection, it is tried once more over the next one.
    pub(crate) async fn repeat<T, F>(
        &self,
        what: &'static str,
        run: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let before = self.number.load(Ordering::Relaxed);
        match self.call(what, &run).await {
            Err(error) if error.needs_another_connection() && self.is_remade(before).await => {
                self.call(what, &run).await
            }
            ended => ended,
        }
    }

    /// Waits a moment for a connection that is not the one of this number.
    async fn is_remade(&self, before: u64) -> bool {
        let mut state = self.state.clone();
        let is_new = |state: &State| {
            matches!(state, State::Up(_)) && self.number.load(Ordering::Relaxed) != before
        };
        timeout(REMADE, state.wait_for(is_new))
            .await
            .is_ok_and(|remade| remade.is_ok())
    }

    /// Runs one script. It may be repeated.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        what: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        self.repeat(what, |mut connection| async move {
            script.invoke_async(&mut connection).await
        })
        .await
    }

    /// Runs one script and one command after it, in one round trip. Both may be repeated.
    pub(crate) async fn run_and<T: FromRedisValue>(
        &self,
        what: &'static str,
        (script, keys, args): (&Script, &[String], &[&[u8]]),
        then: &Cmd,
    ) -> Result<T, StoreError> {
        let mut both = pipe();
        both.cmd("EVALSHA")
            .arg(script.get_hash())
            .arg(keys.len())
            .arg(keys)
            .arg(args);
        both.add_command(then.clone());
        let both = &both;
        self.repeat(what, |mut connection| async move {
            match both.query_async(&mut connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    script.prepare_invoke().load_async(&mut connection).await?;
                    both.query_async(&mut connection).await
                }
                ended => ended,
            }
        })
        .await
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

/// Whether this server is no longer the one that holds the keys and takes writes.
pub(crate) fn has_moved(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::Moved)
    )
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("url", &self.url)
            .finish_non_exhaustive()
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
    purpose: &'static str,
    url: RedisUrl,
    tag: String,
    answer: Duration,
    published: watch::Sender<State>,
    doubted: mpsc::Receiver<Doubt>,
    answers: Arc<AtomicU64>,
    number: Arc<AtomicU64>,
}

impl Watcher {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    tracing::info!(redis.link = self.purpose, redis.address = %self.url, "Redis answers");
                    let since = Instant::now();
                    self.number.fetch_add(1, Ordering::Relaxed);
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
        let mut connection = connect(&self.url, &self.tag, self.answer).await?;
        // A server that is loading its data accepts connections too.
        cmd("PING").exec_async(&mut connection).await?;
        Ok(connection)
    }

    /// Says once that Redis is away, and why.
    fn away(&self, cause: RedisError) {
        let before = self.published.send_replace(State::Away(cause.clone()));
        if !matches!(before, State::Away(_)) {
            tracing::warn!(redis.link = self.purpose, redis.address = %self.url, error = %cause, "Redis is away");
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
