//! The model in the workers, and the tier in which the proxy lets them use it.

use std::path::Path;
use std::time::Duration;

use anyhow::{bail, ensure};
use headroom_tests::process::{Launch, Process};
use headroom_tests::shortened::texts;
use serde_json::Value;

/// How long a job may take with a model on a busy machine: as long as a worker lets it.
pub(crate) const LONGEST_JOB: Duration = Duration::from_secs(300);
/// How long workers may take to load a model.
pub(crate) const LOADING: Duration = Duration::from_secs(120);
/// What stands in the header of a text that lacks words.
const LACKS_WORDS: &str = "unimportant words are left out";

/// The proxy that has jobs leave out what can be fetched again.
pub(crate) fn in_proxy(launch: Launch, model: Option<&Path>) -> Launch {
    match model {
        Some(_) => launch.set("HEADROOM_TIER", "recoverable"),
        None => launch,
    }
}

/// The worker with the model, which finds ONNX Runtime where this program does.
pub(crate) fn in_worker(launch: Launch, model: Option<&Path>) -> Launch {
    let Some(dir) = model else { return launch };
    let launch = launch.set("HEADROOM_MODEL", dir.display());
    match std::env::var("ORT_DYLIB_PATH") {
        Ok(library) => launch.set("ORT_DYLIB_PATH", library),
        Err(_) => launch,
    }
}

/// Checks that no worker goes on without its model.
///
/// # Errors
/// When one says so.
pub(crate) fn ensure_loaded(workers: &[Process]) -> anyhow::Result<()> {
    let logs: Vec<String> = workers.iter().map(Process::log).collect();
    match logs.iter().flat_map(|log| log.lines()).find_map(error) {
        Some(error) => bail!("a worker says: {error}"),
        None => Ok(()),
    }
}

/// The message of a log line that is an error.
fn error(line: &str) -> Option<String> {
    let line: Value = line.parse().ok()?;
    (line["level"] == "ERROR").then(|| line["message"].as_str().unwrap_or_default().to_owned())
}

/// Checks that the model left words out of a text in what the provider got.
///
/// # Errors
/// When it did not.
pub(crate) fn ensure_used(body: &[u8]) -> anyhow::Result<()> {
    let is_used = texts(body).iter().any(|text| text.contains(LACKS_WORDS));
    ensure!(is_used, "the model left no words out of a session's texts");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_are_told() {
        let line = |level: &str| format!(r#"{{"level":"{level}","message":"no model"}}"#);
        assert_eq!(error(&line("ERROR")), Some("no model".to_owned()));
        assert_eq!(error(&line("INFO")), None);
        assert_eq!(error("not JSON"), None);
    }

    #[test]
    fn a_text_that_lacks_words_is_known() {
        let body = |text: &str| format!(r#"{{"messages":[{{"content":"{text}"}}]}}"#);
        assert!(ensure_used(body(LACKS_WORDS).as_bytes()).is_ok());
        assert!(ensure_used(body("all of it").as_bytes()).is_err());
    }
}
