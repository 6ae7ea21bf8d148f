//! What both programs need to run: settings, logs, the line at the end, the clock, the signal to stop, texts that are shown, completions and
//! manual pages.

pub mod clock;
pub mod config;
pub mod last_line;
pub mod output;
pub mod reference;
mod run_within;
pub mod shutdown;
pub mod telemetry;
pub mod terminal;
pub mod truncated;
