//! The figures of the queue, which every proxy and every worker of a deployment shows alike.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::queue::{Depth, Totals};

/// Shows the figures of the queue with this name.
pub fn register_queue(registry: &mut Registry, queue: &str, (depth, totals): (Depth, Totals)) {
    let jobs: Family<[(&'static str, String); 2], Gauge> = Family::default();
    for (state, count) in depth.by_state() {
        let labels = [("queue", queue.to_owned()), ("state", state.to_owned())];
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        jobs.get_or_create(&labels).set(count);
    }
    registry.register(
        "headroom_queue_jobs",
        "Jobs of the whole queue by state; waiting_refresh: refreshes, which run when no other job waits. All instances say the same: take max by (queue, state), not sum",
        jobs,
    );
    for (name, what, count) in by_name(totals) {
        let counter: Family<[(&'static str, String); 1], Counter> = Family::default();
        counter
            .get_or_create(&[("queue", queue.to_owned())])
            .inc_by(count);
        let help = format!(
            "{what}, of the whole queue. All instances say the same: take max by (queue), not sum"
        );
        registry.register(name, help, counter);
    }
}

/// Each total with its name and what it counts.
const fn by_name(totals: Totals) -> [(&'static str, &'static str, u64); 8] {
    [
        (
            "headroom_jobs_enqueued",
            "Jobs put into the queue",
            totals.enqueued,
        ),
        (
            "headroom_jobs_coalesced",
            "Pushes that only replaced the text of a waiting job",
            totals.coalesced,
        ),
        (
            "headroom_jobs_dropped",
            "Jobs dropped because the queue was full",
            totals.dropped_full,
        ),
        ("headroom_jobs_done", "Jobs done", totals.done),
        (
            "headroom_jobs_done_again",
            "Results of jobs that were done already",
            totals.done_again,
        ),
        (
            "headroom_jobs_retried",
            "Attempts that failed and were scheduled again",
            totals.retried,
        ),
        (
            "headroom_jobs_reaped",
            "Jobs taken back from a worker that died or stalled",
            totals.reaped,
        ),
        (
            "headroom_jobs_dead",
            "Jobs moved to the dead list",
            totals.dead,
        ),
    ]
}
