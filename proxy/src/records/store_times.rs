//! How long requests wait for the store.

use prometheus_client::metrics::histogram::Histogram;

/// Seconds: budgets are milliseconds, and what needs neither a store nor a compressor takes microseconds.
pub(crate) const BUCKETS: [f64; 14] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.5, 2.0, 10.0,
];

/// The times. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct StoreTimes {
    pub(crate) read: Histogram,
    pub(crate) write: Histogram,
}

impl Default for StoreTimes {
    fn default() -> Self {
        Self {
            read: Histogram::new(BUCKETS),
            write: Histogram::new(BUCKETS),
        }
    }
}
