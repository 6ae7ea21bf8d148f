//! What both programs need to run: settings, logs, the clock, the signal to stop, the terminal, completions and manual pages.

pub mod clock;
pub mod config;
pub mod reference;
pub mod shutdown;
pub mod telemetry;
pub mod terminal;
