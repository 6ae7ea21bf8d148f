//! How long the parts of a request take that are the proxy's.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::records::store_times::{BUCKETS, StoreTimes};

/// The times.
#[derive(Debug)]
pub(crate) struct Times {
    added: Histogram,
    entry: Histogram,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            added: Histogram::new(BUCKETS),
            entry: Histogram::new(BUCKETS),
        }
    }
}

impl Times {
    /// How long a request took at the proxy itself, until the head of its response was passed on.
    pub(crate) fn added(&self, time: Duration) {
        self.added.observe(time.as_secs_f64());
    }

    /// How long a request waited for its new blocks to be compressed.
    pub(crate) fn entry(&self, time: Duration) {
        self.entry.observe(time.as_secs_f64());
    }

    pub(super) fn register(&self, registry: &mut Registry, store: &StoreTimes) {
        for (name, help, histogram) in [
            (
                "added_seconds",
                "Time that the proxy adds to a request: to the head of its response, without reading the body from the client and without the provider",
                &self.added,
            ),
            (
                "entry_seconds",
                "Time that a request with new blocks waits for them to be compressed",
                &self.entry,
            ),
            (
                "store_read_seconds",
                "Time that a request waits for one read of the store",
                &store.read,
            ),
            (
                "store_write_seconds",
                "Time that a request waits for one write to the store",
                &store.write,
            ),
        ] {
            registry.register(name, help, histogram.clone());
        }
    }
}
