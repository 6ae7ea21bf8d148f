//! The counts as Prometheus reads them.

use headroom_shared::metrics::{register_log, register_queue};
use headroom_shared::queue::{Depth, Totals};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Counts, Label};

impl Counts {
    /// The counts as Prometheus reads them. `figures` of the queue with this name are `None` while it can't be asked: no number is better than
    /// an old one.
    pub(crate) fn registry(&self, queue_name: &str, figures: Option<(Depth, Totals)>) -> Registry {
        let mut all = Registry::default();
        let version = env!("CARGO_PKG_VERSION");
        self.started.register(&mut all, "headroom-proxy", version);
        register_log(&mut all);
        self.register(all.sub_registry_with_prefix("headroom"));
        if let Some(worker) = self.worker.get() {
            worker.register(&mut all);
        }
        if let Some(figures) = figures {
            register_queue(&mut all, queue_name, figures);
        }
        all
    }

    /// All that this process counts but for the worker's threads, in a registry whose prefix is the project's.
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "requests",
            "Requests by what was done with them",
            self.decisions.clone(),
        );
        registry.register(
            "requests_uncompressed",
            "Requests in which nothing was compressed, by why",
            self.uncompressed_requests.clone(),
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
        self.costs.register(registry);
        self.fleet.register(registry);
        self.retrieval.register(registry);
        self.ledger.register(registry);
        self.times.register(registry, &self.store_times);
        self.upstream.register(registry);
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
                "Bytes of text that did not have to go out, of requests that providers took",
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
}
