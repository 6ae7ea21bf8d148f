//! What an operator sees, and the programs that measure.

mod bill;
mod burst;
mod decisions;
mod demo;
mod drain;
mod health;
mod latency;
mod memory;
mod page;
mod reference;
mod settings;
mod soak;
