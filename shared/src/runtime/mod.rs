//! What both programs need to run: settings, logs, the line at the end, the clock, the signal to stop, the terminal, completions and manual pages.

pub mod clock;
pub mod config;
pub mod last_line;
pub mod reference;
mod run_within;
pub mod shutdown;
pub mod telemetry;
pub mod terminal;
