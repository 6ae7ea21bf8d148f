//! What an operator sees, and the programs that measure.

mod bill;
mod burst;
mod decisions;
mod demo;
mod doctor;
mod drain;
mod health;
mod latency;
mod log;
mod memory;
mod metrics;
mod page;
mod prometheus;
mod queue_command;
mod reference;
mod settings;
mod soak;
mod traces;
mod wrap;
