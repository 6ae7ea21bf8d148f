//! What process it is whose metrics these are.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::runtime::clock::now_ms;
use crate::runtime::telemetry;

/// When a process began to count.
#[derive(Debug, Clone)]
pub struct Started {
    /// Seconds since 1970.
    seconds: f64,
}

/// Shows whether `/readyz` says 200.
pub fn register_ready(registry: &mut Registry, is_ready: bool) {
    let ready: Gauge = Gauge::default();
    ready.set(i64::from(is_ready));
    registry.register(
        "headroom_ready",
        "1 where /readyz says 200, 0 where it says 503",
        ready,
    );
}

/// Shows how many lines are missing in the log.
pub fn register_log(registry: &mut Registry) {
    let dropped: Counter = Counter::default();
    dropped.inc_by(telemetry::lines_dropped());
    registry.register(
        "headroom_log_lines_dropped",
        "Lines missing in the log, because standard error did not take them",
        dropped,
    );
}

impl Default for Started {
    /// It begins now.
    fn default() -> Self {
        Self {
            seconds: Duration::from_millis(now_ms()).as_secs_f64(),
        }
    }
}

impl Started {
    /// Shows it, and which program in which version (`headroom_build_info`).
    pub fn register(&self, registry: &mut Registry, program: &'static str, version: &'static str) {
        let started: Gauge<f64, AtomicU64> = Gauge::default();
        started.set(self.seconds);
        registry.register(
            "process_start_time_seconds",
            "When the process began, in seconds since 1970",
            started,
        );
        registry.register(
            "headroom_build",
            "The program and its version",
            Info::new([("program", program), ("version", version)]),
        );
    }
}
