//! The text formats in which Prometheus reads metrics. The registry is encoded as `OpenMetrics`, and the classic format is made of that: the
//! two differ only in the comments before the samples.

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// The media type of `OpenMetrics`.
const OPEN_METRICS: &str = "application/openmetrics-text";

/// What is served at `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its media type, for the header `content-type`.
    pub content_type: &'static str,
    /// The metrics.
    pub text: String,
}

/// The metrics of a registry, in `OpenMetrics` where the values of the header `accept` ask for it, else in the classic format (0.0.4).
#[must_use]
pub fn page<'a>(registry: &Registry, accept: impl IntoIterator<Item = &'a str>) -> Page {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut text, registry);
    if accept.into_iter().any(asks_open_metrics) {
        return Page {
            content_type: "application/openmetrics-text; version=1.0.0; charset=utf-8",
            text,
        };
    }
    Page {
        content_type: "text/plain; version=0.0.4; charset=utf-8",
        text: classic(&text),
    }
}

/// Whether one value of the header `accept` lists `OpenMetrics`, and not with the weight 0.
fn asks_open_metrics(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_it = parts
            .next()
            .is_some_and(|it| it.eq_ignore_ascii_case(OPEN_METRICS));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        is_it && weight.and_then(|it| it.parse::<f32>().ok()) != Some(0.0)
    })
}

/// `OpenMetrics` text in the classic format: families of counters have the names of their samples, and there are neither units nor an end.
fn classic(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + open_metrics.len() / 16);
    let mut help = "";
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            for part in [
                "# HELP ",
                name,
                suffix,
                " ",
                help,
                "\n# TYPE ",
                name,
                suffix,
                " ",
                kind,
                "\n",
            ] {
                text.push_str(part);
            }
        } else if !line.starts_with("# ") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::metrics::info::Info;

    use super::*;

    fn registry() -> Registry {
        let mut registry = Registry::default();
        let counter: Counter = Counter::default();
        counter.inc();
        registry.register("a_requests", "Requests", counter);
        registry.register("a_jobs", "Jobs", Gauge::<i64>::default());
        registry.register("a_wait_seconds", "Waits", Histogram::new([0.5]));
        registry.register("a_build", "Version", Info::new([("version", "1 # \"x\"")]));
        registry
    }

    #[test]
    fn the_classic_format_names_families_as_their_samples() {
        let Page { content_type, text } = page(&registry(), ["*/*"]);
        assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
        let expected = r##"# HELP a_requests_total Requests.
# TYPE a_requests_total counter
a_requests_total 1
# HELP a_jobs Jobs.
# TYPE a_jobs gauge
a_jobs 0
# HELP a_wait_seconds Waits.
# TYPE a_wait_seconds histogram
a_wait_seconds_sum 0.0
a_wait_seconds_count 0
a_wait_seconds_bucket{le="0.5"} 0
a_wait_seconds_bucket{le="+Inf"} 0
# HELP a_build_info Version.
# TYPE a_build_info gauge
a_build_info{version="1 # \"x\""} 1
"##;
        assert_eq!(text, expected);
    }

    #[test]
    fn open_metrics_is_for_those_who_ask_for_it() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
        let Page { content_type, text } = page(&registry(), [prometheus]);
        assert!(content_type.starts_with(OPEN_METRICS));
        assert!(text.ends_with("# EOF\n"));
        for (accept, asks) in [
            ("Application/OpenMetrics-Text", true),
            ("text/plain, application/openmetrics-text; q=1", true),
            ("application/openmetrics-text; q=0", false),
            ("application/openmetrics-text; version=1.0.0; q=0.0", false),
            ("application/json", false),
            ("text/plain;x=application/openmetrics-text", false),
            ("", false),
        ] {
            assert_eq!(asks_open_metrics(accept), asks, "{accept}");
        }
    }
}
