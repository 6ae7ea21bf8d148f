//! The circuit breaker: while Redis is away, calls fail at once instead of each finding that out by itself.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use redis::{RedisError, RedisResult};
use tokio::sync::watch;

use super::url::RedisUrl;
use crate::store::is_refusal;

/// The shortest time for which the breaker stays open; it doubles with each failed attempt to close it.
const MIN_DELAY: Duration = Duration::from_millis(50);
/// The longest such time. Jitter adds up to as much again to each.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// For how long the breaker stays open before each attempt to close it, with jitter, so that many processes do not reconnect at
/// the same moment.
pub(super) fn probe_delays() -> impl Iterator<Item = Duration> {
    backoff().build()
}

const fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(MIN_DELAY)
        .with_max_delay(MAX_DELAY)
        .without_max_times()
        .with_jitter()
}

pub(super) struct Breaker {
    purpose: &'static str,
    url: RedisUrl,
    state: watch::Sender<State>,
}

enum State {
    /// No attempt to connect has ended yet.
    Untried,
    /// Calls are let through, since then.
    Closed(Instant),
    /// Calls fail with this error.
    Open(RedisError),
}

impl Breaker {
    pub(super) fn new(purpose: &'static str, url: &RedisUrl) -> Self {
        Self {
            purpose,
            url: url.clone(),
            state: watch::Sender::new(State::Untried),
        }
    }

    /// Lets a call through, or gives the error that opened the breaker.
    pub(super) fn check(&self) -> RedisResult<()> {
        match &*self.state.borrow() {
            State::Open(cause) => Err(cause.clone()),
            State::Untried | State::Closed(_) => Ok(()),
        }
    }

    /// An attempt that began at `began` found Redis away.
    pub(super) fn open(&self, began: Instant, cause: &RedisError) {
        self.state.send_if_modified(|state| {
            let opens = match state {
                State::Untried => true,
                // An attempt that is older than the last good one says nothing new.
                State::Closed(since) => *since < began,
                State::Open(_) => false,
            };
            if opens {
                let what = if is_refusal(cause) {
                    "Redis refuses this login: check user and password in HEADROOM_REDIS_URL"
                } else {
                    "Redis is away"
                };
                tracing::warn!(redis.pool = self.purpose, redis.address = %self.url, error = %cause, "{what}");
                *state = State::Open(cause.clone());
            }
            opens
        });
    }

    /// Redis responded.
    pub(super) fn close(&self) {
        let closed = State::Closed(Instant::now());
        if !matches!(self.state.send_replace(closed), State::Closed(_)) {
            tracing::info!(redis.pool = self.purpose, redis.address = %self.url, "Redis answers");
        }
    }

    /// Waits until it lets calls through.
    pub(super) async fn closed(&self) {
        let mut state = self.state.subscribe();
        let lets_through = |state: &State| !matches!(state, State::Open(_));
        let _ = state.wait_for(lets_through).await;
    }

    /// Waits until it is open.
    pub(super) async fn opened(&self) {
        let mut state = self.state.subscribe();
        let is_open = |state: &State| matches!(state, State::Open(_));
        let _ = state.wait_for(is_open).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_to_reconnect_are_spread_by_chance_and_at_most_a_second_apart() {
        let first = |seed| {
            let pauses = backoff().with_jitter_seed(seed).build();
            pauses.take(8).collect::<Vec<_>>()
        };
        let spread: std::collections::HashSet<_> = (0..100).map(first).collect();
        assert_eq!(spread.len(), 100, "no two processes wait alike");
        for pauses in spread {
            for (pause, least) in pauses.iter().zip([50, 100, 200, 400, 500, 500, 500, 500]) {
                let least = Duration::from_millis(least);
                assert!((least..=2 * least).contains(pause), "{pauses:?}");
            }
        }
    }

    #[test]
    fn an_attempt_older_than_the_last_good_one_opens_nothing() {
        let breaker = Breaker::new("test", &"redis://127.0.0.1".parse().unwrap());
        let away = RedisError::from((redis::ErrorKind::Io, "away"));
        let before = Instant::now();
        breaker.close();
        breaker.open(before, &away);
        assert!(breaker.check().is_ok());
        breaker.open(Instant::now() + MIN_DELAY, &away);
        assert!(breaker.check().is_err());
        breaker.close();
        assert!(breaker.check().is_ok());
    }
}
