//! The names of all variables of ours, so that a misspelt one is noticed: it would have no effect.

/// Every variable that begins with `HEADROOM_` and that either program or this project's tests read. A test of the proxy compares them with
/// what both programs take.
pub const VARIABLES: [&str; 37] = [
    "HEADROOM_ALLOWED_HOSTS",
    "HEADROOM_ALLOWED_UPSTREAMS",
    "HEADROOM_BACKGROUND_COMPRESSION",
    "HEADROOM_BACKGROUND_COMPRESSION_MAX_QUEUE",
    "HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS",
    "HEADROOM_BACKGROUND_COMPRESSION_WORKERS",
    "HEADROOM_BODY_TIMEOUT_SECONDS",
    "HEADROOM_BOUND_STORE_BUDGET_MS",
    "HEADROOM_DATA_DIR",
    "HEADROOM_DRAIN_SECONDS",
    "HEADROOM_ENTRY_BUDGET_MS",
    "HEADROOM_FLEET_WAIT_MS",
    "HEADROOM_HOST",
    "HEADROOM_JOB_TIMEOUT_SECONDS",
    "HEADROOM_LOG",
    "HEADROOM_LOG_FORMAT",
    "HEADROOM_MAX_BODY_BYTES",
    "HEADROOM_MAX_MEMORY",
    "HEADROOM_MAX_STORE_BYTES",
    "HEADROOM_MODEL",
    "HEADROOM_MODEL_KEEP_RATE",
    "HEADROOM_MODEL_THRESHOLD",
    "HEADROOM_NAMESPACE",
    "HEADROOM_PORT",
    "HEADROOM_PRICES",
    "HEADROOM_REDIS_URL",
    "HEADROOM_REFRESH_TOKENS",
    "HEADROOM_RETENTION_HOURS",
    "HEADROOM_SHARED_RECORDS",
    "HEADROOM_SHOW_TEXT",
    "HEADROOM_STORE_BUDGET_MS",
    "HEADROOM_TAIL_TOKENS",
    "HEADROOM_TENANT_HEADER",
    "HEADROOM_TEST_SEED",
    "HEADROOM_TIER",
    "HEADROOM_WEBSOCKET",
    "HEADROOM_WORKER_PORT",
];

/// How they begin.
const PREFIX: &str = "HEADROOM_";
/// How alike two words must be, from 0 to 1, for one to be taken for the other misspelt.
const ALIKE: f64 = 0.75;

/// Logs a warning for each variable of this process whose name begins as ours do and that nobody reads.
pub fn warn_of_unknown() {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names {
        if let Some(warning) = unknown(&name) {
            tracing::warn!("{warning}");
        }
    }
}

/// What to say of a variable that nobody reads, if it is one of ours by its name.
fn unknown(name: &str) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?;
    if VARIABLES.contains(&name) {
        return None;
    }
    let known = VARIABLES.map(|known| known.trim_start_matches(PREFIX));
    let meant = nearest(rest, &known);
    let meant = meant.map_or_else(String::new, |meant| format!("; is {PREFIX}{meant} meant?"));
    Some(format!(
        "{name} is set, but there is no such setting{meant}"
    ))
}

/// The word that this one may be, misspelt.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let known = known
        .iter()
        .map(|known| (strsim::jaro_winkler(word, known), *known));
    let nearest = known.max_by(|(a, _), (b, _)| a.total_cmp(b));
    nearest
        .filter(|(alike, _)| *alike >= ALIKE)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_told_with_the_nearest_name() {
        for (name, nearest) in [
            ("HEADROOM_REDIS_ULR", "HEADROOM_REDIS_URL"),
            ("HEADROOM_NAMESAPCE", "HEADROOM_NAMESPACE"),
            ("HEADROOM_WORKERS_PORT", "HEADROOM_WORKER_PORT"),
            (
                "HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKEN",
                "HEADROOM_BACKGROUND_COMPRESSION_MIN_TOKENS",
            ),
        ] {
            let said = unknown(name).unwrap();
            assert!(said.ends_with(&format!("; is {nearest} meant?")), "{said}");
        }
        let said = unknown("HEADROOM_XYZ").unwrap();
        assert_eq!(said, "HEADROOM_XYZ is set, but there is no such setting");
        for fine in ["HEADROOM_LOG", "PATH", "headroom_log"] {
            assert_eq!(unknown(fine), None);
        }
    }
}
