//! What an operator sees, and the programs that measure.

mod bill;
mod burst;
mod decisions;
mod demo;
mod drain;
mod health;
mod latency;
mod memory;
mod metrics;
mod prometheus;
mod settings;
mod soak;
mod traces;
