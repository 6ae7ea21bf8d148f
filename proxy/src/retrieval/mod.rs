//! The retrieval of originals: a server of the Model Context Protocol with one tool, by which a model fetches what a shortened text leaves
//! out. What a call asks for ([`arguments`], [`line_ranges`], [`pattern`]) and what it is answered ([`answer`]) is pure; [`server`] reads
//! the originals from the store, [`tool`] is how a client is told of the tool, and [`ledger`] what the retrievals cost.

mod answer;
mod arguments;
pub(crate) mod ledger;
mod line_ranges;
mod pattern;
pub(crate) mod server;
#[cfg(test)]
mod tests;
mod tool;
pub(crate) mod turns;
