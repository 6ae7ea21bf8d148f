//! Counts requests that wait for the workers before they are sent for the first time.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value, json};

use super::Label;
use crate::plan::fleet::FleetOutcome;

/// The counters.
#[derive(Debug, Default)]
pub(crate) struct FleetCounts {
    requests: Family<Label, Counter>,
    blocks: Family<Label, Counter>,
    waited_ms: Counter,
    /// The threads of the workers that are alive.
    pub(crate) threads: Gauge,
    /// Whether one of them has a model: 1 or 0.
    pub(crate) has_model: Gauge,
}

/// What became of a block that a request waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AwaitedBlock {
    /// It came back in time, with a form.
    Compressed,
    /// It came back in time, without a form.
    Uncompressed,
    /// It did not come back in time.
    Late,
    /// There was no room in the queue.
    Dropped,
}

impl AwaitedBlock {
    const ALL: [Self; 4] = [
        Self::Compressed,
        Self::Uncompressed,
        Self::Late,
        Self::Dropped,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Compressed => "compressed",
            Self::Uncompressed => "uncompressed",
            Self::Late => "late",
            Self::Dropped => "dropped",
        }
    }
}

impl FleetCounts {
    /// All at 0, and shown all the same.
    pub(super) fn new() -> Self {
        let counts = Self::default();
        for outcome in FleetOutcome::ALL {
            counts.requests_of(outcome);
        }
        for block in AwaitedBlock::ALL {
            counts.blocks_of(block);
        }
        counts
    }

    /// Counts a request that had new blocks for the workers.
    pub(crate) fn request(&self, outcome: FleetOutcome) {
        self.requests_of(outcome).inc();
    }

    /// Counts blocks that a request waited for.
    pub(crate) fn blocks(&self, block: AwaitedBlock, count: usize) {
        self.blocks_of(block).inc_by(count as u64);
    }

    /// Counts how long a request waited.
    pub(crate) fn waited(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.waited_ms.inc_by(ms);
    }

    pub(super) fn stats(&self) -> Value {
        let requests = FleetOutcome::ALL.map(|it| (it.name(), self.requests_of(it).get()));
        let blocks = AwaitedBlock::ALL.map(|it| (it.name(), self.blocks_of(it).get()));
        let object = |counts: &[(&str, u64)]| {
            let counts = counts.iter();
            let counts: Map<String, Value> = counts
                .map(|(name, count)| ((*name).to_owned(), (*count).into()))
                .collect();
            counts
        };
        json!({
            "threads": self.threads.get(), "has_model": self.has_model.get() > 0, "requests": object(&requests), "blocks": object(&blocks),
            "waited_ms": self.waited_ms.get(),
        })
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "fleet_requests",
            "Requests with new blocks for the workers before the first send, by what became of that",
            self.requests.clone(),
        );
        registry.register(
            "fleet_blocks",
            "New blocks that requests waited for, by what became of them",
            self.blocks.clone(),
        );
        let waited: Counter<f64, AtomicU64> = Counter::default();
        waited.inc_by(Duration::from_millis(self.waited_ms.get()).as_secs_f64());
        registry.register(
            "fleet_waited_seconds",
            "How long requests waited for the workers",
            waited,
        );
        registry.register(
            "fleet_threads",
            "Threads of the workers that are alive, for requests that may wait for them or leave new blocks to them",
            self.threads.clone(),
        );
        registry.register(
            "fleet_has_model",
            "1 where one of these workers has a model, else 0",
            self.has_model.clone(),
        );
    }

    fn requests_of(&self, outcome: FleetOutcome) -> Counter {
        self.requests
            .get_or_create_owned(&[("outcome", outcome.name())])
    }

    fn blocks_of(&self, block: AwaitedBlock) -> Counter {
        self.blocks
            .get_or_create_owned(&[("outcome", block.name())])
    }
}
