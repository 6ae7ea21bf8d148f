//! Counts what providers answer, by model family.

use http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

use super::Label;
use super::model_family::ModelFamily;

/// Seconds: a provider's answer begins within these.
const FIRST_BYTE_BUCKETS: [f64; 12] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0,
];

/// The classes of a status, as labels; `none`: there was no response.
const CLASSES: [&str; 5] = ["none", "2xx", "3xx", "4xx", "5xx"];

/// The counters.
#[derive(Debug)]
pub(crate) struct UpstreamCounts {
    responses: Family<[(&'static str, &'static str); 2], Counter>,
    first_byte: Family<Label, Histogram, fn() -> Histogram>,
    /// The same, found without a look into a map.
    of_family: [OfFamily; ModelFamily::ALL.len()],
}

#[derive(Debug)]
struct OfFamily {
    responses: [Counter; CLASSES.len()],
    first_byte: Histogram,
}

impl Default for UpstreamCounts {
    /// All at 0, and shown all the same.
    fn default() -> Self {
        let responses: Family<[(&str, &str); 2], Counter> = Family::default();
        let first_byte: Family<Label, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(FIRST_BYTE_BUCKETS));
        let of_family = ModelFamily::ALL.map(|family| OfFamily {
            responses: CLASSES.map(|class| {
                responses.get_or_create_owned(&[("family", family.name()), ("status", class)])
            }),
            first_byte: first_byte.get_or_create_owned(&[("family", family.name())]),
        });
        Self {
            responses,
            first_byte,
            of_family,
        }
    }
}

impl UpstreamCounts {
    /// Counts a request that was sent, by the status of the response, if there was one, and how long its first byte took.
    pub(crate) fn sent(&self, family: ModelFamily, status: Option<StatusCode>, took: Duration) {
        let counts = &self.of_family[family as usize];
        // What is no class of HTTP, or 1xx, is no response that can be passed on.
        let class = match status.map(|status| status.as_u16() / 100) {
            Some(class @ 2..=5) => usize::from(class) - 1,
            _ => 0,
        };
        counts.responses[class].inc();
        if status.is_some() {
            counts.first_byte.observe(took.as_secs_f64());
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "upstream_responses",
            "Requests that were sent to providers, by the class of the response's status (none: no response) and the model's family",
            self.responses.clone(),
        );
        registry.register(
            "upstream_first_byte_seconds",
            "Time from sending a request to the head of its response, by the model's family",
            self.first_byte.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_count_by_class() {
        let counts = UpstreamCounts::default();
        let statuses = [200, 204, 302, 404, 429, 500, 101, 600].map(StatusCode::from_u16);
        for status in statuses.map(Result::ok).into_iter().chain([None]) {
            counts.sent(ModelFamily::ClaudeOpus, status, Duration::from_millis(3));
        }
        let opus = &counts.of_family[ModelFamily::ClaudeOpus as usize];
        let counted: Vec<u64> = opus.responses.iter().map(Counter::get).collect();
        assert_eq!(counted, [3, 2, 1, 2, 1]);
    }
}
