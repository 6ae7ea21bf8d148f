//! Medians, ratios, and the JSON report.

use std::time::Duration;

use headroom_tests::report;
use serde::{Deserialize, Serialize};

use crate::targets::{Build, Store, Target};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Whether the target under test had a core of its own.
    pub(crate) own_core: bool,
    pub(crate) rows: Vec<Row>,
    pub(crate) idle: Vec<Idle>,
    pub(crate) streams: Vec<Streams>,
    pub(crate) distance: Vec<Distance>,
}

/// One target with one size of body and number of connections. Times in µs; what is added is added to the direct connection of
/// the same round, and the figure is the median over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) target: Target,
    pub(crate) build: Build,
    pub(crate) store: Option<Store>,
    pub(crate) body_bytes: usize,
    pub(crate) connections: u32,
    pub(crate) p50_us: f64,
    pub(crate) added_p50_us: f64,
    pub(crate) added_p90_us: f64,
    pub(crate) added_p99_us: f64,
    /// What is added in the median, over what nginx adds: the median of the rounds' ratios.
    pub(crate) ratio_to_nginx: Option<f64>,
    /// The same of the 99th percentiles, each over all rounds.
    pub(crate) p99_ratio_to_nginx: Option<f64>,
    /// Half of the rounds' ratios lie between these.
    pub(crate) ratio_quartiles: Option<[f64; 2]>,
    /// Requests a second.
    pub(crate) rps: f64,
    /// CPU time of the target's process a request, in ms.
    pub(crate) cpu_ms: f64,
    /// The most memory its process ever had, in MB.
    pub(crate) rss_mb: f64,
}

/// Memory of a proxy that has not served yet.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    pub(crate) build: Build,
    pub(crate) store: Store,
    pub(crate) rss_mb: f64,
}

/// Many event streams at once through one target. Times in µs, from the event's sending to its arrival; `added` is over direct.
#[derive(Debug, Serialize)]
pub(crate) struct Streams {
    pub(crate) target: Target,
    pub(crate) build: Build,
    pub(crate) streams: u32,
    pub(crate) first_byte_p50_us: f64,
    pub(crate) first_byte_p99_us: f64,
    pub(crate) chunk_p50_us: f64,
    pub(crate) chunk_p99_us: f64,
    pub(crate) added_first_byte_p50_us: f64,
    pub(crate) added_first_byte_p99_us: f64,
    pub(crate) added_chunk_p50_us: f64,
    pub(crate) added_chunk_p99_us: f64,
    pub(crate) rss_mb: f64,
}

/// A large request after a pause over a real distance, in ms.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Distance {
    pub(crate) target: String,
    pub(crate) body_bytes: usize,
    pub(crate) rtt_ms: u32,
    pub(crate) p50_ms: f64,
    pub(crate) worst_ms: f64,
}

impl Report {
    /// Nothing measured yet.
    pub(crate) const fn new(own_core: bool) -> Self {
        Self {
            own_core,
            rows: Vec::new(),
            idle: Vec::new(),
            streams: Vec::new(),
            distance: Vec::new(),
        }
    }
}

/// The value that so many percent of all do not exceed; 0 of none.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    report::percentile(&sorted, percent)
}

/// The middle one of these values.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// A time in µs.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_need_no_order() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(median(&values), 3.0);
        assert_eq!(percentile(&values, 99), 5.0);
        assert_eq!(percentile(&values, 20), 1.0);
        assert_eq!(percentile(&[], 50), 0.0);
    }
}
