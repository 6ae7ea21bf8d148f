//! Counts calls of the retrieval tool.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value, json};

use super::Label;

/// The counters. Clones count the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct RetrievalCounts {
    calls: Family<Label, Counter>,
    bytes: Counter,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The text was there, and what was asked of it returned.
    Found,
    /// The text is not in the store.
    Gone,
    /// The call's arguments can't be used.
    Refused,
    /// The store did not answer.
    StoreAway,
    /// There was no memory for the text.
    OverMemory,
}

impl Outcome {
    const ALL: [Self; 5] = [
        Self::Found,
        Self::Gone,
        Self::Refused,
        Self::StoreAway,
        Self::OverMemory,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::StoreAway => "store_away",
            Self::OverMemory => "over_memory",
        }
    }
}

impl RetrievalCounts {
    /// All at 0, and shown all the same.
    pub(super) fn new() -> Self {
        let counts = Self::default();
        for outcome in Outcome::ALL {
            counts.calls_of(outcome);
        }
        counts
    }

    /// Counts a call that was answered with so many bytes of text.
    pub(crate) fn found(&self, bytes: usize) {
        self.calls_of(Outcome::Found).inc();
        self.bytes.inc_by(bytes as u64);
    }

    /// Counts a call that was answered with an error.
    pub(crate) fn failed(&self, outcome: Outcome) {
        self.calls_of(outcome).inc();
    }

    pub(super) fn stats(&self) -> Value {
        let calls = Outcome::ALL.map(|it| (it.name().to_owned(), self.calls_of(it).get().into()));
        let calls: Map<String, Value> = calls.into_iter().collect();
        json!({"calls": calls, "bytes": self.bytes.get()})
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "retrievals",
            "Calls of the retrieval tool by what became of them",
            self.calls.clone(),
        );
        registry.register(
            "retrieved_bytes",
            "Bytes of text that the retrieval tool has returned",
            self.bytes.clone(),
        );
    }

    fn calls_of(&self, outcome: Outcome) -> Counter {
        self.calls
            .get_or_create_owned(&[("outcome", outcome.name())])
    }
}
