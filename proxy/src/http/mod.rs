//! HTTP between clients and the proxy: [`routes`] says which request goes where. What is posted to a dialect's path is read whole ([`body`])
//! and goes to the [`handler`]; everything else is relayed ([`passthrough`], [`websocket`]).

mod account;
mod body;
mod body_timeout;
mod cold_start;
mod compress_new;
mod context;
mod dashboard;
mod errors;
mod execute_plan;
mod fleet_wait;
mod handler;
mod headers;
mod hop_by_hop;
mod json_text;
mod later_job;
mod observed;
mod outgoing;
mod passthrough;
mod report;
mod retrieval;
mod routes;
mod scannable_body;
mod server;
mod settings;
mod settle_plan;
mod thinking_retry;
pub(crate) mod websocket;
mod wire_body;

pub(crate) use self::server::serve;
