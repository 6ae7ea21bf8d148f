//! The way to Redis.
//!
//! | file | what |
//! |---|---|
//! | `url` | where it is, how to log in there |
//! | `server` | which server that is now, where sentinels or a cluster's nodes have to be asked |
//! | here | [`Link`]: the one connection to it, and calls over it |
//! | `eviction` | whether what is kept there may go by itself |
//! | `watcher` | makes that connection, tries it, and makes it again |
//!
//! There is no pool: one connection carries the commands of any number of tasks at once, and a pool would ask before each use
//! whether the connection still lives, which is a second round trip for every step.

pub(crate) mod eviction;
mod server;
mod url;
mod watcher;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, Script, ScriptInvocation,
    ServerErrorKind, pipe,
};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::keys::Keys;
use crate::store::StoreError;

pub use self::eviction::Evicts;
use self::server::connect;
pub use self::url::RedisUrl;
use self::watcher::{Doubt, State, Up, Watcher};

/// How long a call whose connection broke waits for the next one.
const REMADE: Duration = Duration::from_millis(500);

/// A connection to Redis that mends itself, and follows where sentinels and clusters move the deployment. While Redis is away,
/// calls fail at once; before the first attempt to connect has ended, a call waits for it.
pub struct Link {
    url: RedisUrl,
    tag: String,
    state: watch::Receiver<State>,
    doubts: mpsc::Sender<Doubt>,
    /// How many calls were answered.
    answers: Arc<AtomicU64>,
    _end: DropGuard,
}

impl Link {
    /// Begins to connect to where `keys` are, for what the log calls `purpose`. An answer may take as long as `answer` where
    /// the caller sets no shorter budget. Redis need not be there yet. Must be called within a tokio runtime, which runs the
    /// connection.
    #[must_use]
    pub fn new(purpose: &'static str, url: &RedisUrl, keys: &Keys, answer: Duration) -> Self {
        let (published, state) = watch::channel(State::Connecting);
        let (doubts, doubted) = mpsc::channel(1);
        let answers = Arc::<AtomicU64>::default();
        let end = CancellationToken::new();
        let watcher = Watcher {
            purpose,
            url: url.clone(),
            tag: keys.tag().to_owned(),
            answer,
            published,
            doubted,
            answers: Arc::clone(&answers),
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
            _end: end.drop_guard(),
        }
    }

    /// Where it leads.
    #[must_use]
    pub const fn url(&self) -> &RedisUrl {
        &self.url
    }

    /// Which connection it is since the start; nothing while there is none.
    pub(crate) fn number(&self) -> Option<u64> {
        match &*self.state.borrow() {
            State::Up(up) => Some(up.number),
            State::Connecting | State::Away(_) => None,
        }
    }

    /// What is wrong with how Redis treats what it keeps when its memory is full, as it last told; nothing while it is away.
    #[must_use]
    pub fn evicts(&self) -> Option<Evicts> {
        match &*self.state.borrow() {
            State::Up(up) => up.eviction.evicts().cloned(),
            State::Connecting | State::Away(_) => None,
        }
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
        self.over(self.up(what).await?, what, run).await
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
        // Connections are counted from 1: any will do where there is none now.
        let (number, ended) = match self.up(what).await {
            Ok(up) => (up.number, self.over(up, what, &run).await),
            Err(error) => (0, Err(error)),
        };
        match ended {
            Err(error) if error.needs_another_connection() => match self.next_after(number).await {
                Some(up) => self.over(up, what, &run).await,
                None => Err(error),
            },
            ended => ended,
        }
    }

    /// Runs one call that may be repeated, for a caller that sets itself how long it waits: where there is no connection it waits
    /// for the next, and where one breaks under the call or does not answer, the call is run again.
    pub(crate) async fn insist<T, F>(
        &self,
        what: &'static str,
        run: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let mut broken = 0;
        loop {
            let up = self.other_than(broken).await.ok_or_else(|| {
                let error = (ErrorKind::Io, "the runtime is shutting down").into();
                StoreError::redis(what, error)
            })?;
            let number = up.number;
            let ended = tokio::select! {
                ended = self.over(up, what, &run) => ended,
                // The watcher may find out sooner than the call that nobody answers here any more.
                () = self.ended(number) => {
                    broken = number;
                    continue;
                }
            };
            match ended {
                Err(error) if error.needs_another_connection() => broken = number,
                Err(error) if error.is_timeout() => {}
                ended => return ended,
            }
        }
    }

    /// Runs one call over this connection.
    async fn over<T, F>(
        &self,
        up: Up,
        what: &'static str,
        run: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let mut waiting = Waiting {
            link: self,
            doubt: Some(Doubt::Unanswered),
        };
        let result = run(up.connection).await;
        waiting.doubt = match &result {
            Err(error) if has_moved(error) => Some(Doubt::Replaced(up.number, error.clone())),
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

    /// Waits a moment for a connection that is not the one of this number.
    async fn next_after(&self, number: u64) -> Option<Up> {
        timeout(REMADE, self.other_than(number)).await.ok()?
    }

    /// Waits for a connection that is not the one of this number; `None` when the runtime shuts down.
    async fn other_than(&self, number: u64) -> Option<Up> {
        let mut state = self.state.clone();
        let is_next = |state: &State| matches!(state, State::Up(up) if up.number != number);
        match state.wait_for(is_next).await.ok()?.clone() {
            State::Up(up) => Some(up),
            State::Connecting | State::Away(_) => None,
        }
    }

    /// Waits until the connection of this number is of no more use.
    async fn ended(&self, number: u64) {
        let mut state = self.state.clone();
        let is_other = |state: &State| !matches!(state, State::Up(up) if up.number == number);
        let _ = state.wait_for(is_other).await;
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

    /// The same for a script with a large argument, which is copied once less.
    pub(crate) async fn run_large<T: FromRedisValue>(
        &self,
        what: &'static str,
        script: WithArguments<'_>,
    ) -> Result<T, StoreError> {
        let command = &evalsha(script);
        self.run_loaded(what, script.0, |mut connection| async move {
            command.query_async(&mut connection).await
        })
        .await
    }

    /// Runs one script and one command after it, in one round trip. Both may be repeated.
    pub(crate) async fn run_and<T: FromRedisValue>(
        &self,
        what: &'static str,
        script: WithArguments<'_>,
        then: &Cmd,
    ) -> Result<T, StoreError> {
        let mut both = pipe();
        both.add_command(evalsha(script));
        both.add_command(then.clone());
        let both = &both;
        self.run_loaded(what, script.0, |mut connection| async move {
            both.query_async(&mut connection).await
        })
        .await
    }

    /// Runs a call that counts on a script. Where the server has yet to load it, it is loaded, and the call is run once more.
    async fn run_loaded<T, F>(
        &self,
        what: &'static str,
        script: &Script,
        run: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let run = &run;
        self.repeat(what, |mut connection| async move {
            match run(connection.clone()).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    script.prepare_invoke().load_async(&mut connection).await?;
                    run(connection).await
                }
                ended => ended,
            }
        })
        .await
    }

    /// The connection that there is; the first one is waited for.
    async fn up(&self, what: &'static str) -> Result<Up, StoreError> {
        let mut state = self.state.clone();
        let known = state
            .wait_for(|state| !matches!(state, State::Connecting))
            .await
            .map(|state| state.clone());
        let error = match known {
            Ok(State::Up(up)) => return Ok(up),
            Ok(State::Away(error)) => error,
            Ok(State::Connecting) | Err(_) => {
                (ErrorKind::Io, "the runtime is shutting down").into()
            }
        };
        Err(StoreError::redis(what, error))
    }
}

/// A script, its keys and its arguments.
type WithArguments<'a> = (&'a Script, &'a [String], &'a [&'a [u8]]);

/// The command that runs a script which the server has.
fn evalsha((script, keys, args): WithArguments<'_>) -> Cmd {
    let keys_bytes: usize = keys.iter().map(String::len).sum();
    let args_bytes: usize = args.iter().map(|arg| arg.len()).sum();
    let hash = script.get_hash();
    // The name, the hash, and how many keys there are in at most twenty digits.
    let head_bytes = "EVALSHA".len() + hash.len() + 20;
    let bytes = head_bytes + keys_bytes + args_bytes;
    let mut command = Cmd::with_capacity(3 + keys.len() + args.len(), bytes);
    command
        .arg("EVALSHA")
        .arg(hash)
        .arg(keys.len())
        .arg(keys)
        .arg(args);
    command
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
