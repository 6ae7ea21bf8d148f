//! `headroom-proxy`: stands between a coding agent and its LLM provider, forwards at once, and sends less.
//!
//! The way of a request, file by file: [`routes`] → [`turn`] (read it: `body`; understand it: `dialect`, `scan`; what is
//! known of it: `memory`; which forms go out: `choose`, with `entry` and `landing`; or leave it to a worker: `defer`; put it
//! together: `splice`; note it: `ledger`) → [`upstream`] → [`answer`] back to the client.
//!
//! Not here: how jobs are claimed and done (`headroom-worker`), how texts are compressed and where things are kept
//! (`headroom-shared`).

mod answer;
mod app;
mod blocks;
mod body;
mod choose;
mod counts;
mod defer;
mod dialect;
mod entry;
mod headers;
mod landing;
mod ledger;
mod memory;
mod relay;
mod reply;
mod routes;
pub mod scan;
mod serve;
mod settings;
mod splice;
mod turn;
mod upstream;

pub use settings::{Command, Settings};
