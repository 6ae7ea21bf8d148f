//! What both programs need to run: settings, logs, the clock, the signal to stop, the terminal.

pub mod clock;
pub mod config;
pub mod shutdown;
pub mod telemetry;
pub mod terminal;
