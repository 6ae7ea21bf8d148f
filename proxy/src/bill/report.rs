//! The costs as `/stats` and `/metrics` show them.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value, json};

use super::costs::{Costs, total};
use crate::totals::cost::Cost;

/// The label of a model.
type Model = [(&'static str, String); 1];
/// Those of a model and a kind of tokens.
type ModelAndKind = [(&'static str, String); 2];

impl Costs {
    /// The costs as one JSON document.
    pub(crate) fn stats(&self) -> Value {
        let models = self.by_model();
        let mut document = json(&total(models.values()));
        let models: Map<String, Value> = models
            .into_iter()
            .map(|(model, cost)| (model, json(&cost)))
            .collect();
        document["models"] = models.into();
        let days = self.by_day();
        let days = days.by_beginning().map(|(beginning_ms, cost)| {
            let mut day = json(cost);
            day["beginning_ms"] = beginning_ms.into();
            day
        });
        document["days"] = days.collect();
        document
    }

    /// Shows the costs in this registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let usd: Family<Model, Counter<f64, AtomicU64>> = Family::default();
        let shadow_usd: Family<Model, Counter<f64, AtomicU64>> = Family::default();
        let requests: Family<Model, Counter> = Family::default();
        let tokens: Family<ModelAndKind, Counter> = Family::default();
        for (model, cost) in self.by_model() {
            let label = [("model", model.clone())];
            usd.get_or_create(&label).inc_by(cost.usd);
            shadow_usd.get_or_create(&label).inc_by(cost.shadow_usd);
            requests.get_or_create(&label).inc_by(cost.requests);
            for (kind, count) in cost.tokens() {
                let labels = [("model", model.clone()), ("kind", kind.to_owned())];
                tokens.get_or_create(&labels).inc_by(count);
            }
        }
        registry.register(
            "cost_usd",
            "What requests cost by the usage that providers stated, in dollars",
            usd,
        );
        registry.register(
            "shadow_cost_usd",
            "What the same requests would have cost in the originals, in dollars",
            shadow_usd,
        );
        registry.register(
            "billed_requests",
            "Requests whose cost is counted",
            requests,
        );
        registry.register(
            "tokens",
            "Tokens of these requests and their responses, by what was paid for them",
            tokens,
        );
    }
}

fn json(cost: &Cost) -> Value {
    let tokens: Map<String, Value> = cost
        .tokens()
        .into_iter()
        .map(|(kind, count)| (kind.to_owned(), count.into()))
        .collect();
    json!({
        "requests": cost.requests, "usd": cost.usd, "shadow_usd": cost.shadow_usd, "saved_usd": cost.saved_usd(),
        "tokens": tokens, "guessed_prices": cost.is_guess,
    })
}

#[cfg(test)]
mod tests {
    use headroom_shared::contract::usage::Usage;

    use super::*;

    #[test]
    fn both_reports_say_the_same() {
        let costs = Costs::default();
        assert_eq!(costs.stats()["requests"], 0);
        let usage = Usage {
            read: 5,
            written: 3,
            written_hour: 0,
            input: 10,
            output: 4,
        };
        costs.add("one".to_owned(), &Cost::of(usage, 0.5, 0.75, false), 0);
        costs.add(
            "two".to_owned(),
            &Cost::of(usage, 0.25, 0.25, true),
            86_400_000,
        );
        let stats = costs.stats();
        assert_eq!(stats["usd"], 0.75);
        assert_eq!(stats["saved_usd"], 0.25);
        assert_eq!(stats["models"]["two"]["guessed_prices"], true);
        assert_eq!(stats["days"][1]["beginning_ms"], 86_400_000);
        assert_eq!(stats["days"][1]["usd"], 0.25);
        assert_eq!(
            stats["tokens"],
            json!({"fresh": 4, "read": 10, "written": 6, "output": 8})
        );
        let mut registry = Registry::with_prefix("headroom");
        costs.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "headroom_cost_usd_total{model=\"one\"} 0.5",
            "headroom_shadow_cost_usd_total{model=\"one\"} 0.75",
            "headroom_billed_requests_total{model=\"two\"} 1",
            "headroom_tokens_total{model=\"two\",kind=\"fresh\"} 2",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}: {text}");
        }
    }
}
