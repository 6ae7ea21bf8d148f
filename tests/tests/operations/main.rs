//! What an operator sees, and the programs that measure.

mod burst;
mod demo;
mod health;
mod latency;
mod memory;
mod soak;
