//! Starts logging, the same way in both programs.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::runtime::config::{LogFormat, LogSettings};

/// Begins to log to standard error as the settings say. Only the first call in a process has an effect.
pub fn start(settings: &LogSettings) {
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let may_show = filter_fn(holds_no_text);
    let _ = match settings.format {
        LogFormat::Pretty => log.finish().with(may_show).try_init(),
        LogFormat::Json => {
            let log = log.json().flatten_event(true);
            log.finish().with(may_show).try_init()
        }
    };
}

/// Whether what is logged there holds no texts of users, whatever the settings ask for: `rmcp` logs the messages of its clients and its
/// answers below a warning.
fn holds_no_text(logged: &Metadata<'_>) -> bool {
    let is_rmcp = logged.target().split("::").next() == Some("rmcp");
    !is_rmcp || *logged.level() <= Level::WARN
}
