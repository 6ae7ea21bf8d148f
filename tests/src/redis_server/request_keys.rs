//! What requests leave in Redis.

use std::collections::BTreeSet;

use super::RedisServer;
use crate::wait;

/// The kinds of keys that requests leave.
const KINDS_OF_REQUESTS: [&str; 8] = [
    "sent",
    "opened",
    "form",
    "sent-form",
    "compressed",
    "job",
    "jobs",
    "pending",
];

impl RedisServer {
    /// The keys of what is known of requests: all but those of the deployment and the workers.
    ///
    /// # Panics
    /// When Redis can't be reached.
    pub async fn request_keys(&self) -> BTreeSet<String> {
        let keys: Vec<String> = self.command(&["KEYS", "headroom:*"]).await;
        let is_of_request = |key: &String| {
            let kind = key.split(':').nth(1).unwrap_or_default();
            KINDS_OF_REQUESTS.contains(&kind)
        };
        keys.into_iter().filter(is_of_request).collect()
    }

    /// Those keys, if there are some and all have a full life.
    ///
    /// # Panics
    /// When Redis can't be reached.
    pub async fn settled_keys(&self) -> Option<BTreeSet<String>> {
        let keys = self.request_keys().await;
        (!keys.is_empty() && self.are_settled(&keys).await).then_some(keys)
    }

    /// Whether each of these keys has a longer life than what a request under way writes.
    ///
    /// # Panics
    /// When Redis can't be reached.
    pub async fn are_settled(&self, keys: impl IntoIterator<Item = &String>) -> bool {
        const LONG_MS: i64 = 3_600_000;
        for key in keys {
            let left: i64 = self.command(&["PTTL", key]).await;
            if left <= LONG_MS {
                return false;
            }
        }
        true
    }

    /// Waits until exactly these keys of requests are there.
    ///
    /// # Panics
    /// When they never are.
    pub async fn until_request_keys_are(&self, expected: &BTreeSet<String>) {
        let equal = || async { (self.request_keys().await == *expected).then_some(()) };
        let are_equal = wait::within(wait::DEADLINE, equal).await.is_some();
        let now = self.request_keys().await;
        let difference: Vec<_> = now.symmetric_difference(expected).take(9).collect();
        let counts = (now.len(), expected.len());
        assert!(are_equal, "found and expected: {counts:?}, {difference:?}");
    }
}
