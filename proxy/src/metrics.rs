//! What the proxy counts, as `/stats` and `/metrics` show it.

pub(crate) mod fleet;
pub(crate) mod retrieval;

use std::sync::{Arc, OnceLock};

use headroom_shared::queue::{Depth, Totals};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use self::fleet::FleetCounts;
use self::retrieval::RetrievalCounts;
use crate::bill::costs::Costs;
use crate::plan::landing::Landing;
use crate::plan::skip_reason::SkipReason;
use crate::records::Mismatches;
use crate::retrieval::ledger::Ledger;

/// What was done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Sent as it came.
    Forwarded,
    /// Sent as it came, and its job is on its way to the queue.
    Deferring,
    /// Sent as it came, and its job stands in the queue.
    Deferred,
    /// Sent as it came, and its job dropped because there is no room for it.
    Dropped,
    /// Sent with at least one form.
    Compressed,
    /// Sent as it came because the client asked for that.
    Bypassed,
}

impl Decision {
    /// Those that a request may be counted under for good: what becomes of a job that is on its way is known later.
    pub(crate) const FINAL: [Self; 5] = [
        Self::Forwarded,
        Self::Deferred,
        Self::Dropped,
        Self::Compressed,
        Self::Bypassed,
    ];

    /// Its name in headers, logs and counts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Deferring => "deferring",
            Self::Deferred => "deferred",
            Self::Dropped => "dropped",
            Self::Compressed => "compressed",
            Self::Bypassed => "bypassed",
        }
    }
}

/// How long the text of a body is, in bytes: what is in it without its content encoding. A body that was not decoded counts as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextBytes {
    pub(crate) received: usize,
    pub(crate) sent: usize,
}

impl TextBytes {
    /// That of a body that goes out as it came.
    pub(crate) const fn unchanged(bytes: usize) -> Self {
        Self {
            received: bytes,
            sent: bytes,
        }
    }

    /// How much shorter the text is that goes out.
    pub(crate) const fn saved(self) -> usize {
        self.received.saturating_sub(self.sent)
    }
}

/// One label: its name and its value.
type Label = [(&'static str, &'static str); 1];

/// The counters of one process.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    decisions: Family<Label, Counter>,
    /// Requests whose job is on its way to the queue.
    deferring: Gauge,
    uncompressed: Family<Label, Counter>,
    /// Bytes of bodies as clients sent them.
    wire_bytes_in: Counter,
    /// Bytes of bodies as they went out.
    wire_bytes_sent: Counter,
    /// Bytes of bodies as clients sent them, without content encodings.
    text_bytes_in: Counter,
    /// Bytes of bodies as they went out, without content encodings.
    text_bytes_sent: Counter,
    /// Bytes of text saved: what would have gone out in the originals, less what did.
    text_bytes_saved: Counter,
    /// Requests of conversations with a prefix that was left to a worker.
    landings: Family<Label, Counter>,
    /// Blocks that were sent in forms for which there had been no time at an earlier request.
    pub(crate) made_before: Counter,
    /// Requests for which the store did not answer within the budget.
    pub(crate) store_misses: Counter,
    /// Blocks sent in the original because the text of their recorded form was gone.
    pub(crate) forms_missing: Counter,
    /// What was read from the store and was not what its key says.
    mismatches: Mismatches,
    /// Conversations whose thinking the provider refused, because it is bound to forms that are not known any more.
    pub(crate) conversations_lost: Counter,
    /// Requests that were not looked into, because there was no memory for their bodies.
    pub(crate) over_memory: Counter,
    /// Requests that wait for the workers.
    pub(crate) fleet: FleetCounts,
    /// Calls of the retrieval tool.
    pub(crate) retrieval: RetrievalCounts,
    /// What retrievals cost.
    ledger: Ledger,
    /// What requests cost.
    costs: Arc<Costs>,
    /// What the worker's threads in this process count, where it has any.
    worker: OnceLock<headroom_worker::metrics::Metrics>,
}

impl Counts {
    /// All at 0, but for what is counted elsewhere.
    pub(crate) fn new(mismatches: Mismatches, costs: Arc<Costs>, ledger: Ledger) -> Self {
        let counts = Self {
            mismatches,
            costs,
            ledger,
            fleet: FleetCounts::new(),
            retrieval: RetrievalCounts::new(),
            ..Self::default()
        };
        // A count that is still 0 is shown too.
        for decision in Decision::FINAL {
            counts.decided(decision);
        }
        for reason in SkipReason::ALL {
            counts.skips(reason);
        }
        for landing in Landing::ALL {
            counts.landings_of(landing);
        }
        counts
    }

    /// From now on shows what the worker's threads in this process count.
    pub(crate) fn show_worker(&self, worker: headroom_worker::metrics::Metrics) {
        let _ = self.worker.set(worker);
    }

    /// Counts a request by what became of the prefix that was left to a worker.
    pub(crate) fn landing(&self, landing: Landing) {
        self.landings_of(landing).inc();
    }

    /// Counts a block that was sent for the first time, in the original.
    pub(crate) fn skipped(&self, reason: SkipReason) {
        self.skips(reason).inc();
    }

    /// Counts a request of the dialects' paths, with the lengths of its body as it was received and as it went out. One whose job is on its
    /// way is counted under that until [`Self::job_ended`].
    pub(crate) fn request(
        &self,
        decision: Decision,
        (wire_in, wire_sent): (usize, usize),
        text: TextBytes,
    ) {
        if decision == Decision::Deferring {
            self.deferring.inc();
        } else {
            self.decided(decision).inc();
        }
        self.wire_bytes_in.inc_by(wire_in as u64);
        self.wire_bytes_sent.inc_by(wire_sent as u64);
        self.text_bytes_in.inc_by(text.received as u64);
        self.text_bytes_sent.inc_by(text.sent as u64);
        self.text_bytes_saved.inc_by(text.saved() as u64);
    }

    /// Counts a request whose job was on its way under what became of it.
    pub(crate) fn job_ended(&self, decision: Decision) {
        self.deferring.dec();
        self.decided(decision).inc();
    }

    /// The counts as one JSON document. `queue` is `None` while the queue can't be asked.
    pub(crate) fn stats(&self, queue: Option<(Depth, Totals)>, store: &str) -> Value {
        let requests = self.requests();
        let skipped =
            SkipReason::ALL.map(|reason| (reason.name(), self.skips(reason).get().into()));
        let skipped: serde_json::Map<String, Value> = skipped
            .into_iter()
            .map(|(name, blocks)| (name.to_owned(), blocks))
            .collect();
        let landings =
            Landing::ALL.map(|it| (it.name().to_owned(), self.landings_of(it).get().into()));
        let landings: serde_json::Map<String, Value> = landings.into_iter().collect();
        let (depth, totals) = queue.unzip();
        let jobs = totals.map(|totals| {
            json!({
                "enqueued": totals.enqueued, "done": totals.done, "failed": totals.dead,
                "coalesced": totals.coalesced, "dropped": totals.dropped_full, "retried": totals.retried, "reaped": totals.reaped,
            })
        });
        json!({
            "requests": requests,
            "bytes": {
                "in": self.wire_bytes_in.get(), "sent": self.wire_bytes_sent.get(), "saved": self.text_bytes_saved.get(),
            },
            "wire_bytes": {"in": self.wire_bytes_in.get(), "sent": self.wire_bytes_sent.get()},
            "text_bytes": {
                "in": self.text_bytes_in.get(), "sent": self.text_bytes_sent.get(), "saved": self.text_bytes_saved.get(),
            },
            "blocks_uncompressed": skipped, "forms_made_before": self.made_before.get(),
            "cost": self.costs.stats(),
            "fleet": self.fleet.stats(),
            "retrieval": self.retrieval.stats(),
            "shortened": self.ledger.stats(),
            "prefixes": {"landed": self.landed(), "requests": landings},
            "queue": depth, "jobs": jobs, "store": store,
            "store_misses": self.store_misses.get(), "forms_missing": self.forms_missing.get(),
            "store_mismatches": {"forms": self.mismatches.forms.get(), "records": self.mismatches.records.get()},
            "conversations_lost": self.conversations_lost.get(), "over_memory": self.over_memory.get(),
        })
    }

    /// The requests by what was done with them.
    fn requests(&self) -> serde_json::Map<String, Value> {
        let deferring = u64::try_from(self.deferring.get()).unwrap_or(0);
        let decided = Decision::FINAL.map(|decision| (decision, self.decided(decision).get()));
        let counts = decided
            .into_iter()
            .chain([(Decision::Deferring, deferring)]);
        let total: u64 = counts.clone().map(|(_, count)| count).sum();
        let by_name = counts.map(|(decision, count)| (decision.name().to_owned(), count.into()));
        by_name
            .chain([("total".to_owned(), total.into())])
            .collect()
    }

    /// The counts as Prometheus reads them.
    pub(crate) fn metrics(&self, queue: Option<(Depth, Totals)>) -> String {
        let mut registry = Registry::with_prefix("headroom");
        registry.register(
            "requests",
            "Requests by what was done with them",
            self.decisions.clone(),
        );
        registry.register(
            "blocks_uncompressed",
            "Blocks that were sent for the first time, in the original, by why",
            self.uncompressed.clone(),
        );
        registry.register(
            "landings",
            "Requests of conversations with a prefix that was left to a worker, by what became of it",
            self.landings.clone(),
        );
        let mismatches: Family<Label, Counter> = Family::default();
        for (kind, count) in [
            ("form", &self.mismatches.forms),
            ("record", &self.mismatches.records),
        ] {
            mismatches
                .get_or_create(&[("kind", kind)])
                .inc_by(count.get());
        }
        registry.register(
            "store_mismatches",
            "Values in the store that are not what their keys say, so that they count as missing",
            mismatches,
        );
        let landed: Counter = Counter::default();
        landed.inc_by(self.landed());
        registry.register(
            "prefixes_landed",
            "Prefixes whose compressed form landed",
            landed,
        );
        for (name, help, counter) in self.plain_counters() {
            registry.register(name, help, counter.clone());
        }
        self.costs.register(&mut registry);
        self.fleet.register(&mut registry);
        self.retrieval.register(&mut registry);
        self.ledger.register(&mut registry);
        if let Some(worker) = self.worker.get() {
            worker_metrics(&mut registry, worker);
        }
        if let Some((depth, totals)) = queue {
            queue_metrics(&mut registry, depth, totals);
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &registry);
        text
    }

    /// The counters without labels: name, help and value.
    fn plain_counters(&self) -> [(&'static str, &'static str, &Counter); 10] {
        [
            (
                "wire_bytes_in",
                "Bytes of bodies as clients sent them",
                &self.wire_bytes_in,
            ),
            (
                "wire_bytes_sent",
                "Bytes of bodies as they went out",
                &self.wire_bytes_sent,
            ),
            (
                "text_bytes_in",
                "Bytes of bodies as clients sent them, without content encodings",
                &self.text_bytes_in,
            ),
            (
                "text_bytes_sent",
                "Bytes of bodies as they went out, without content encodings",
                &self.text_bytes_sent,
            ),
            (
                "text_bytes_saved",
                "Bytes of text that did not have to go out",
                &self.text_bytes_saved,
            ),
            (
                "forms_made_before",
                "New blocks whose forms were ready, because they were made after an earlier request that had no time for them",
                &self.made_before,
            ),
            (
                "store_misses",
                "Requests the store did not answer in time",
                &self.store_misses,
            ),
            (
                "forms_missing",
                "Blocks whose form's text was gone",
                &self.forms_missing,
            ),
            (
                "over_memory",
                "Requests not looked into because HEADROOM_MAX_MEMORY was used up",
                &self.over_memory,
            ),
            (
                "conversations_lost",
                "Conversations that go on in the originals, because their thinking is bound to forms that were lost",
                &self.conversations_lost,
            ),
        ]
    }

    fn skips(&self, reason: SkipReason) -> Counter {
        self.uncompressed
            .get_or_create_owned(&[("reason", reason.name())])
    }

    /// Prefixes whose compressed form landed.
    fn landed(&self) -> u64 {
        let landings = Landing::ALL.into_iter().filter(|landing| landing.lands());
        landings
            .map(|landing| self.landings_of(landing).get())
            .sum()
    }

    fn landings_of(&self, landing: Landing) -> Counter {
        self.landings
            .get_or_create_owned(&[("outcome", landing.name())])
    }

    fn decided(&self, decision: Decision) -> Counter {
        self.decisions
            .get_or_create_owned(&[("decision", decision.name())])
    }
}

fn worker_metrics(registry: &mut Registry, worker: &headroom_worker::metrics::Metrics) {
    registry.register(
        "worker_job_timeouts",
        "Jobs that took longer than HEADROOM_JOB_TIMEOUT_SECONDS, each time counted",
        worker.timeouts().clone(),
    );
    registry.register(
        "worker_stuck_threads",
        "Threads that could not be stopped after their job's time was over",
        worker.stuck_threads().clone(),
    );
}

fn queue_metrics(registry: &mut Registry, depth: Depth, totals: Totals) {
    let gauges: Family<Label, Gauge> = Family::default();
    for (state, jobs) in depth.by_state() {
        let jobs = i64::try_from(jobs).unwrap_or(i64::MAX);
        gauges.get_or_create(&[("state", state)]).set(jobs);
    }
    registry.register(
        "queue_jobs",
        "Jobs by where they are; waiting_refresh: refreshes, which run when no other job waits",
        gauges,
    );
    for (name, help, value) in [
        ("jobs_enqueued", "Jobs put into the queue", totals.enqueued),
        ("jobs_done", "Jobs done", totals.done),
        ("jobs_failed", "Jobs buried", totals.dead),
        (
            "jobs_dropped",
            "Jobs dropped because the queue was full",
            totals.dropped_full,
        ),
    ] {
        let counter: Counter = Counter::default();
        counter.inc_by(value);
        registry.register(name, help, counter);
    }
}
