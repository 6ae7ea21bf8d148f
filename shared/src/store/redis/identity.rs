//! The deployment's secret in Redis, and the name of the data that it holds, by which every process sees that they were lost.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis::Script;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::contract::id::DigestKey;
use crate::store::StoreError;

/// How long after a loss of data other processes may still be writing back what they know. Each finds the loss within 250 ms, or with its
/// next read.
const SETTLING: Duration = Duration::from_millis(1_500);

/// The script that reads both, or makes them.
pub(super) fn script() -> Script {
    Script::new(include_str!("identity.lua"))
}

/// A name for data: random, so that no other data ever have it.
pub(super) fn new_name() -> String {
    Uuid::new_v4().simple().to_string()
}

/// A secret as it is stored: in hexadecimal digits.
pub(super) fn hex(secret: &DigestKey) -> String {
    blake3::Hash::from_bytes(*secret.as_bytes())
        .to_hex()
        .to_string()
}

/// The digest key whose hexadecimal digits are stored under this key.
pub(super) fn parse_secret(
    operation: &'static str,
    secret: &[u8],
    key: &str,
) -> Result<DigestKey, StoreError> {
    let secret = blake3::Hash::from_hex(secret).map_err(|_| {
        let problem = format!("{key} does not hold the 64 hexadecimal digits it should");
        StoreError::other(operation, problem)
    })?;
    Ok(DigestKey::from_bytes(*secret.as_bytes()))
}

/// The name of the data in Redis, as it was last read.
#[derive(Debug, Default)]
pub(super) struct DataName {
    last: Mutex<Option<LastRead>>,
    lost: Notify,
}

#[derive(Debug)]
struct LastRead {
    /// None where Redis holds no name.
    name: Option<Bytes>,
    /// When all processes have written back what was lost last.
    settled_at: Option<Instant>,
}

impl DataName {
    /// Notes what a read has found, when Redis's clock showed `redis_ms`.
    pub(super) fn note(&self, name: Option<&[u8]>, redis_ms: u64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = last.is_none();
        if last
            .as_ref()
            .is_some_and(|last| last.name.as_deref() == name)
        {
            return;
        }
        let settles_in = match name {
            Some(name) => settles_in(name, redis_ms),
            // At the first read it may never have had one.
            None if is_first => Duration::ZERO,
            None => SETTLING,
        };
        let before = last.as_ref().and_then(|last| last.settled_at);
        let settled_at = (!settles_in.is_zero()).then(|| Instant::now() + settles_in);
        *last = Some(LastRead {
            name: name.map(Bytes::copy_from_slice),
            settled_at: settled_at.or(before),
        });
        if !is_first {
            self.lost.notify_one();
        }
    }

    /// When all processes have written back what was lost last.
    pub(super) fn settled_at(&self) -> Option<Instant> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref()?.settled_at
    }

    /// Waits until a read finds another name than the one before.
    pub(super) async fn changed(&self) {
        self.lost.notified().await;
    }
}

/// How long after `redis_ms`, which is 0 where that is not known, data of this name may still be written back.
fn settles_in(name: &[u8], redis_ms: u64) -> Duration {
    let since = std::str::from_utf8(name).ok();
    let since = since.and_then(|name| name.rsplit(' ').next()?.parse().ok());
    let since: u64 = since.unwrap_or(0);
    if since == 0 {
        return Duration::ZERO;
    }
    let age = Duration::from_millis(redis_ms.saturating_sub(since));
    SETTLING.saturating_sub(age)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn data_settle_for_a_while_after_they_were_lost() {
        for (name, redis_ms, settles_in_ms) in [
            ("a 0", 1_000_000, 0),
            ("a 1000000", 1_000_000, 1_500),
            ("a 1000000", 1_001_000, 500),
            ("a 1000000", 1_009_000, 0),
            ("a 1000000", 999_000, 1_500),
            ("a 1000000", 0, 1_500),
            ("a 0", 0, 0),
            ("garbage", 1_000_000, 0),
        ] {
            let expected = Duration::from_millis(settles_in_ms);
            assert_eq!(settles_in(name.as_bytes(), redis_ms), expected, "{name}");
        }
    }

    #[test]
    fn another_name_is_a_loss_and_the_first_one_is_none() {
        let data = DataName::default();
        let is_changed = || data.changed().now_or_never().is_some();
        data.note(None, 999_999);
        assert!(!is_changed() && data.settled_at().is_none());
        data.note(Some(b"a 0"), 1_000_000);
        data.note(Some(b"a 0"), 1_000_001);
        assert!(is_changed() && !is_changed() && data.settled_at().is_none());
        data.note(None, 1_000_002);
        assert!(is_changed() && data.settled_at().is_some());
        data.note(Some(b"b 1000003"), 1_000_003);
        assert!(is_changed() && data.settled_at().is_some());
    }
}
