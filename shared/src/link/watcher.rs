//! Makes the connection, tries it, and makes it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, RedisResult, cmd};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::eviction::{self, Eviction};
use super::server::connect;
use super::url::RedisUrl;

/// How often an idle connection is tried.
const PING_EVERY: Duration = Duration::from_secs(1);
/// How long an answer to a ping may take.
const PING: Duration = Duration::from_millis(500);
/// How many pings in a row go unanswered before Redis counts as away: one slow answer does not.
const UNANSWERED: u32 = 3;
/// How often Redis is asked whether it evicts keys: it can be told so while it runs.
const EVICTION_EVERY: Duration = Duration::from_secs(5);
/// The first pause between two attempts to connect; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two attempts to connect.
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// What is known of Redis.
#[derive(Clone)]
pub(super) enum State {
    /// No attempt has ended yet.
    Connecting,
    Up(Up),
    Away(RedisError),
}

/// A connection, and which one since the start.
#[derive(Clone)]
pub(super) struct Up {
    pub(super) connection: MultiplexedConnection,
    pub(super) number: u64,
    pub(super) eviction: Eviction,
}

/// What a call tells the watcher of its connection.
pub(super) enum Doubt {
    /// It failed or was given up: try the connection now.
    Unanswered,
    /// The server of the connection of this number is no longer the one to be used: look for its successor.
    Replaced(u64, RedisError),
}

/// Makes the connection, tries it, and makes it again.
pub(super) struct Watcher {
    pub(super) purpose: &'static str,
    pub(super) url: RedisUrl,
    pub(super) tag: String,
    pub(super) answer: Duration,
    pub(super) published: watch::Sender<State>,
    pub(super) doubted: mpsc::Receiver<Doubt>,
    pub(super) answers: Arc<AtomicU64>,
}

impl Watcher {
    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        let mut number = 0;
        let mut told = Eviction::Never;
        loop {
            match self.connect().await {
                Ok((connection, eviction)) => {
                    tracing::info!(redis.link = self.purpose, redis.address = %self.url, "Redis answers");
                    let since = Instant::now();
                    number += 1;
                    self.tell(&mut told, &eviction);
                    let up = Up {
                        connection,
                        number,
                        eviction,
                    };
                    self.published.send_replace(State::Up(up.clone()));
                    let cause = self.watch(up, &mut told).await;
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

    async fn connect(&self) -> RedisResult<(MultiplexedConnection, Eviction)> {
        let mut connection = connect(&self.url, &self.tag, self.answer).await?;
        // A server that is loading its data accepts connections too.
        cmd("PING").exec_async(&mut connection).await?;
        let eviction = eviction::ask(&mut connection).await?;
        Ok((connection, eviction))
    }

    /// Asks whether Redis evicts keys, and publishes what has changed.
    async fn look(&self, up: &mut Up, told: &mut Eviction) {
        let asked = timeout(PING, eviction::ask(&mut up.connection)).await;
        if let Ok(Ok(eviction)) = asked
            && eviction != up.eviction
        {
            self.tell(told, &eviction);
            up.eviction = eviction;
            self.published.send_replace(State::Up(up.clone()));
        }
    }

    /// Says once that Redis evicts keys, and once that it no longer does.
    fn tell(&self, told: &mut Eviction, now: &Eviction) {
        if let Some(evicts) = now.evicts()
            && now != told
        {
            tracing::warn!(redis.link = self.purpose, redis.address = %self.url, "{evicts}; until then nothing new is compressed");
        } else if told.evicts().is_some() && now.evicts().is_none() {
            tracing::info!(redis.link = self.purpose, redis.address = %self.url, "Redis no longer evicts keys: compression goes on");
        }
        told.clone_from(now);
    }

    /// Says once that Redis is away, and why.
    fn away(&self, cause: RedisError) {
        let before = self.published.send_replace(State::Away(cause.clone()));
        if !matches!(before, State::Away(_)) {
            tracing::warn!(redis.link = self.purpose, redis.address = %self.url, error = %cause, "Redis is away");
        }
    }

    /// Tries the connection now and then, and at each doubt, until it is of no more use; gives the reason.
    async fn watch(&mut self, mut up: Up, told: &mut Eviction) -> RedisError {
        let mut connection = up.connection.clone();
        let mut unanswered = 0;
        let mut looked = Instant::now();
        loop {
            if unanswered == 0 {
                match timeout(PING_EVERY, self.doubted.recv()).await {
                    Ok(Some(Doubt::Replaced(number, error))) if number == up.number => {
                        return error;
                    }
                    Ok(_) | Err(_) => {}
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
            if unanswered == 0 && looked.elapsed() >= EVICTION_EVERY {
                self.look(&mut up, told).await;
                looked = Instant::now();
            }
            if unanswered == UNANSWERED {
                return (ErrorKind::Io, "Redis does not answer").into();
            }
        }
    }
}
