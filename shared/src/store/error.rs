//! [`StoreError`]: the error of stores and queues.

/// Why an operation of a store or a queue failed.
///
/// Its text names the operation and the cause, and never a password: the client libraries put none into their errors.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {cause}")]
pub struct StoreError {
    operation: &'static str,
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("{refusal}{0}", refusal = if is_refusal(.0) { "Redis refuses this login: " } else { "" })]
    Redis(#[from] redis::RedisError),
    #[error("{0}")]
    File(#[from] redb::Error),
    #[error("{0}")]
    Away(String),
    #[error("{0}")]
    NoRoom(String),
    #[error("{0}")]
    Other(String),
    #[error("no answer within {0} ms")]
    Timeout(u128),
}

impl StoreError {
    /// Redis failed at this operation.
    #[must_use]
    pub fn redis(operation: &'static str, error: redis::RedisError) -> Self {
        Self {
            operation,
            cause: error.into(),
        }
    }

    /// The embedded file failed at this operation.
    #[must_use]
    pub fn file(operation: &'static str, error: impl Into<redb::Error>) -> Self {
        Self {
            operation,
            cause: Cause::File(error.into()),
        }
    }

    /// The embedded file is closed for now.
    #[must_use]
    pub(super) const fn away(operation: &'static str, cause: String) -> Self {
        Self {
            operation,
            cause: Cause::Away(cause),
        }
    }

    /// The embedded file has no room for this now.
    #[must_use]
    pub(super) const fn no_room(operation: &'static str, cause: String) -> Self {
        Self {
            operation,
            cause: Cause::NoRoom(cause),
        }
    }

    /// Something else failed at this operation.
    #[must_use]
    pub fn other(operation: &'static str, cause: impl std::fmt::Display) -> Self {
        Self {
            operation,
            cause: Cause::Other(cause.to_string()),
        }
    }

    /// The store did not respond in time.
    #[must_use]
    pub fn timeout(operation: &'static str, after: std::time::Duration) -> Self {
        Self {
            operation,
            cause: Cause::Timeout(after.as_millis()),
        }
    }

    /// Whether the store did not respond in time, as opposed to being away or refusing.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match &self.cause {
            Cause::Timeout(_) => true,
            Cause::Redis(error) => error.is_timeout(),
            Cause::File(_) | Cause::Away(_) | Cause::NoRoom(_) | Cause::Other(_) => false,
        }
    }

    /// Whether what was asked for was certainly not done: the store was away or full, or it refuses.
    #[must_use]
    pub fn is_not_made(&self) -> bool {
        match &self.cause {
            Cause::Away(_) | Cause::NoRoom(_) => true,
            Cause::Redis(_) => self.is_out_of_memory() || self.is_refusal(),
            Cause::File(_) | Cause::Other(_) | Cause::Timeout(_) => false,
        }
    }

    /// Whether the embedded file is closed for now.
    pub(super) const fn is_away(&self) -> bool {
        matches!(self.cause, Cause::Away(_))
    }

    /// Whether Redis has no memory left for the call.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        matches!(&self.cause, Cause::Redis(error) if error.code() == Some("OOM"))
    }

    /// Whether Redis is there and refuses the login: a wrong or missing password, or a user who may not do this.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(&self.cause, Cause::Redis(error) if is_refusal(error))
    }

    /// Whether the same call may succeed later, perhaps only after somebody has repaired Redis, its settings, the network or the disk: the
    /// call's arguments are not the cause.
    #[must_use]
    pub fn may_heal(&self) -> bool {
        match &self.cause {
            Cause::Timeout(_) | Cause::Away(_) | Cause::NoRoom(_) => true,
            Cause::Redis(error) => error.kind() != redis::ErrorKind::UnexpectedReturnType,
            Cause::File(_) | Cause::Other(_) => false,
        }
    }

    /// Whether the same call may succeed later without any repair.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match &self.cause {
            Cause::Timeout(_) => true,
            Cause::Redis(error) => {
                let is_wrong = matches!(
                    error.kind(),
                    redis::ErrorKind::UnexpectedReturnType | redis::ErrorKind::InvalidClientConfig
                );
                !is_wrong && !is_refusal(error)
            }
            Cause::File(_) | Cause::Away(_) | Cause::NoRoom(_) | Cause::Other(_) => false,
        }
    }
}

/// Whether this is a server's word that it does not let this login in, or not do this.
pub(crate) fn is_refusal(error: &redis::RedisError) -> bool {
    let code = error.code();
    error.kind() == redis::ErrorKind::AuthenticationFailed
        || matches!(code, Some("NOAUTH" | "WRONGPASS" | "NOPERM"))
}
