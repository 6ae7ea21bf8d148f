//! HTTP as clients speak it with the proxy: hyper reads and writes it, and [`routes`] say which request goes where. What is posted to a
//! dialect's path is read whole ([`body`]) and goes its turn; what is in no dialect is passed through ([`passthrough`], [`websocket`]).

pub(crate) mod body;
pub(crate) mod encoding;
pub(crate) mod errors;
pub(crate) mod exchange;
mod handler;
pub(crate) mod headers;
pub(crate) mod hop_by_hop;
pub(crate) mod outgoing;
mod passthrough;
mod prepare;
pub(crate) mod readable;
pub(crate) mod recovery;
pub(crate) mod report;
mod routes;
mod server;
pub(crate) mod settings;
mod websocket;

pub(crate) use self::server::serve;
