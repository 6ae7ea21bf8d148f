//! What an operator sees, and the programs that measure.

mod bill;
mod burst;
mod decisions;
mod demo;
mod doctor;
mod drain;
mod health;
mod latency;
mod memory;
mod page;
mod settings;
mod soak;
mod wrap;
