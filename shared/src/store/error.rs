//! The one error of stores and queues.

/// Why a store or a queue did not do what it was asked.
///
/// Its text names the step and the cause, and never a password: the clients below put none into their errors.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
pub struct StoreError {
    what: &'static str,
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("{0}")]
    Redis(#[from] redis::RedisError),
    #[error("{0}")]
    File(#[from] redb::Error),
    #[error("{0}")]
    Other(String),
    #[error("no answer within {0} ms")]
    Timeout(u128),
}

impl StoreError {
    /// Redis failed at the step `what`.
    #[must_use]
    pub fn redis(what: &'static str, error: redis::RedisError) -> Self {
        Self {
            what,
            cause: error.into(),
        }
    }

    /// The embedded file failed at the step `what`.
    #[must_use]
    pub fn file(what: &'static str, error: impl Into<redb::Error>) -> Self {
        Self {
            what,
            cause: Cause::File(error.into()),
        }
    }

    /// Something else failed at the step `what`.
    #[must_use]
    pub fn other(what: &'static str, cause: impl std::fmt::Display) -> Self {
        Self {
            what,
            cause: Cause::Other(cause.to_string()),
        }
    }

    /// The store did not answer the step `what` in time.
    #[must_use]
    pub fn timeout(what: &'static str, after: std::time::Duration) -> Self {
        Self {
            what,
            cause: Cause::Timeout(after.as_millis()),
        }
    }

    /// Whether the store was too slow, as opposed to away or refusing.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match &self.cause {
            Cause::Timeout(_) => true,
            Cause::Redis(error) => error.is_timeout(),
            Cause::File(_) | Cause::Other(_) => false,
        }
    }

    /// Whether Redis has no memory left for the call.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        matches!(&self.cause, Cause::Redis(error) if error.code() == Some("OOM"))
    }

    /// Whether the same call may succeed later, be it because somebody mends Redis or the way to it: it failed by nothing
    /// that it was given.
    #[must_use]
    pub fn may_heal(&self) -> bool {
        match &self.cause {
            Cause::Timeout(_) => true,
            Cause::Redis(error) => error.kind() != redis::ErrorKind::UnexpectedReturnType,
            Cause::File(_) | Cause::Other(_) => false,
        }
    }

    /// Whether the same call may succeed later without anybody mending anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match &self.cause {
            Cause::Timeout(_) => true,
            Cause::Redis(error) => !matches!(
                error.kind(),
                redis::ErrorKind::UnexpectedReturnType
                    | redis::ErrorKind::InvalidClientConfig
                    | redis::ErrorKind::AuthenticationFailed
            ),
            Cause::File(_) | Cause::Other(_) => false,
        }
    }
}
