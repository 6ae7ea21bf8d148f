//! What the proxy counts, as `/stats` and `/metrics` show it.

mod decision;
pub(crate) mod fleet;
pub(crate) mod model_family;
mod prometheus;
pub(crate) mod retrieval;
mod times;
pub(crate) mod uncompressed;
mod upstream;

use std::sync::{Arc, OnceLock};

use headroom_shared::metrics::Started;
use headroom_shared::queue::{Depth, Totals};
use headroom_shared::runtime::clock::now_ms;
use headroom_shared::runtime::telemetry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use serde_json::{Value, json};

pub(crate) use self::decision::{Decision, TextBytes};
use self::fleet::FleetCounts;
use self::retrieval::RetrievalCounts;
use self::times::Times;
use self::uncompressed::Uncompressed;
use self::upstream::UpstreamCounts;
use crate::bill::costs::Costs;
use crate::plan::landing::Landing;
use crate::plan::skip_reason::SkipReason;
use crate::records::Mismatches;
use crate::records::store_times::StoreTimes;
use crate::retrieval::ledger::Ledger;
use crate::totals::DeploymentTotals;

/// One label: its name and its value.
type Label = [(&'static str, &'static str); 1];

/// The counters of one process.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    started: Started,
    decisions: Family<Label, Counter>,
    /// Requests whose job is on its way to the queue.
    deferring: Gauge,
    uncompressed: Family<Label, Counter>,
    /// Requests in which nothing was compressed.
    uncompressed_requests: Family<Label, Counter>,
    /// Bytes of bodies as clients sent them.
    wire_bytes_in: Counter,
    /// Bytes of bodies as they went out.
    wire_bytes_sent: Counter,
    /// Bytes of bodies as clients sent them, without content encodings.
    text_bytes_in: Counter,
    /// Bytes of bodies as they went out, without content encodings.
    text_bytes_sent: Counter,
    /// Bytes of text saved: what would have gone out in the originals, less what did, of requests that providers took.
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
    /// How long the proxy's part of requests takes.
    pub(crate) times: Times,
    /// How long requests wait for the store.
    store_times: StoreTimes,
    /// What providers answer.
    pub(crate) upstream: UpstreamCounts,
    /// Calls of the retrieval tool.
    pub(crate) retrieval: RetrievalCounts,
    /// What retrievals cost.
    ledger: Ledger,
    /// The totals of the deployment.
    totals: DeploymentTotals,
    /// What requests cost.
    costs: Arc<Costs>,
    /// What the worker's threads in this process count, where it has any.
    worker: OnceLock<headroom_worker::metrics::Metrics>,
}

impl Counts {
    /// All at 0, but for what is counted elsewhere.
    pub(crate) fn new(
        (mismatches, store_times): (Mismatches, StoreTimes),
        costs: Arc<Costs>,
        (ledger, totals): (Ledger, DeploymentTotals),
    ) -> Self {
        let counts = Self {
            mismatches,
            store_times,
            costs,
            ledger,
            totals,
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
        for why in Uncompressed::all() {
            counts.uncompressed_for(why);
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

    /// Counts a request of the dialects' paths by what was done with it and why nothing of it was compressed, if so, with the lengths of its body
    /// as it was received and as it went out. One whose job is on its way is counted under that until [`Self::job_ended`].
    pub(crate) fn request(
        &self,
        (decision, uncompressed): (Decision, Option<Uncompressed>),
        (wire_in, wire_sent): (usize, usize),
        text: TextBytes,
    ) {
        if decision == Decision::Deferring {
            self.deferring.inc();
        } else {
            self.decided(decision).inc();
        }
        if let Some(why) = uncompressed {
            self.uncompressed_for(why).inc();
        }
        self.wire_bytes_in.inc_by(wire_in as u64);
        self.wire_bytes_sent.inc_by(wire_sent as u64);
        self.text_bytes_in.inc_by(text.received as u64);
        self.text_bytes_sent.inc_by(text.sent as u64);
    }

    /// Counts what a request saved, once the provider has taken it.
    pub(crate) fn saved(&self, text: TextBytes) {
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
            "shortened": self.ledger.stats(now_ms()),
            "expected_reads": self.totals.expected_reads(),
            "prefixes": {"landed": self.landed(), "requests": landings},
            "queue": depth, "jobs": jobs, "store": store,
            "store_misses": self.store_misses.get(), "forms_missing": self.forms_missing.get(),
            "store_mismatches": {"forms": self.mismatches.forms.get(), "records": self.mismatches.records.get()},
            "conversations_lost": self.conversations_lost.get(), "over_memory": self.over_memory.get(),
            "log_lines_dropped": telemetry::lines_dropped(),
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

    fn skips(&self, reason: SkipReason) -> Counter {
        self.uncompressed
            .get_or_create_owned(&[("reason", reason.name())])
    }

    fn uncompressed_for(&self, why: Uncompressed) -> Counter {
        self.uncompressed_requests
            .get_or_create_owned(&[("reason", why.name())])
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
