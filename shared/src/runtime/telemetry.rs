//! Starts logging, the same way in both programs.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::runtime::config::{LogFormat, LogSettings};

/// Begins to log to standard error as the settings say. Only the first call in a process has an effect.
pub fn start(settings: &LogSettings) {
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let _ = match settings.format {
        LogFormat::Pretty => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
