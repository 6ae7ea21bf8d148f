//! A Redis URL whose password never shows.

use std::fmt;
use std::str::FromStr;

use redis::{ConnectionInfo, IntoConnectionInfo};

/// Where Redis is and how to log in there. Its `Debug` and `Display` leave user and password out.
#[derive(Clone)]
pub struct RedisUrl {
    info: ConnectionInfo,
    shown: String,
}

impl RedisUrl {
    /// What the client needs to connect.
    #[must_use]
    pub const fn connection_info(&self) -> &ConnectionInfo {
        &self.info
    }
}

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let takes =
            "takes redis://[user:password@]host[:port][/db], rediss://… or unix:///path".to_owned();
        let known = ["redis://", "rediss://", "unix://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        let info = text
            .into_connection_info()
            .ok()
            .filter(|_| known)
            .ok_or(takes)?;
        let shown = format!("{}/{}", info.addr(), info.redis_settings().db());
        Ok(Self { info, shown })
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_never_shows() {
        let url: RedisUrl = "redis://me:hunter2@example.org:6380/3".parse().unwrap();
        assert_eq!(
            format!("{url} {url:?}"),
            "example.org:6380/3 example.org:6380/3"
        );
        for bad in ["", "http://x", "redis://", "hunter2", "redis://h:port"] {
            let error = bad.parse::<RedisUrl>().unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
