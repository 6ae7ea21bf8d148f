//! Reads a log filter, and refuses a word that is no level: `tracing` would take it for the name of a module, and log nothing else.

use tracing_subscriber::EnvFilter;

use super::names::nearest;

/// The levels, as a filter names them.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
/// How the modules of both programs begin, which may stand alone.
const OWN_MODULES: &str = "headroom_";

/// Reads a filter.
///
/// # Errors
/// What it takes, where it is none.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    let directives = text.split(',').map(str::trim);
    for directive in directives.filter(|directive| !directive.is_empty()) {
        let (module, level) = match directive.rsplit_once('=') {
            // A span's fields have '=' too.
            Some((_, level)) if !level.contains([']', '}']) => ("", level),
            _ => (directive, ""),
        };
        let stands_alone =
            module.starts_with(OWN_MODULES) || module.contains('[') || module.contains("::");
        let is_level = |word: &str| {
            let is_number = matches!(word.parse(), Ok(0..=5_u8));
            is_number || LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
        };
        let word = if module.is_empty() { level } else { module };
        if !stands_alone && !is_level(word) {
            return Err(refused(word));
        }
    }
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(TAKES.to_owned()),
    }
}

const TAKES: &str = "takes a level (error, warn, info, debug, trace or off), or a tracing filter such as headroom_proxy=debug,info";

fn refused(word: &str) -> String {
    let word = word.to_ascii_lowercase();
    let meant =
        nearest(&word, &LEVELS).map_or_else(String::new, |level| format!("; is {level:?} meant?"));
    format!("{TAKES}{meant}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tracing_takes_is_taken() {
        for good in [
            "info",
            "WARN",
            "off",
            "3",
            "info,headroom_proxy=debug",
            "headroom_worker",
            "headroom_shared::redis",
            "hyper::proto,info",
            "hyper=trace, warn",
            "headroom_proxy[request{id=7}]=debug",
            "headroom_proxy[request]",
            "",
        ] {
            assert_eq!(log_filter(good).as_deref(), Ok(good));
        }
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_with_the_nearest() {
        for (bad, nearest) in [
            ("inof", "info"),
            ("Debgu", "debug"),
            ("warning", "warn"),
            ("headroom_proxy=debug,trce", "trace"),
            ("headroom_proxy=inof", "info"),
        ] {
            let said = log_filter(bad).unwrap_err();
            let meant = format!("; is \"{nearest}\" meant?");
            assert!(
                said.starts_with("takes a level") && said.ends_with(&meant),
                "{bad}: {said}"
            );
        }
        assert_eq!(log_filter("hyper").unwrap_err(), TAKES);
    }
}
