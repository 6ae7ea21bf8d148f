//! The harness of the end-to-end suites: real programs, a real redis-server, a scripted provider.
//!
//! | module | what |
//! |---|---|
//! | [`process`] | the project's programs as child processes |
//! | [`footprint`] | what a running program holds: sockets, threads, memory |
//! | [`roles`] | the programs that another program of ours can be, so that both are the same build |
//! | [`redis_server`] | a throw-away redis-server |
//! | [`redis_kinds`] | Redis as users run it: with TLS, behind a sentinel, as a cluster |
//! | [`provider`] | a provider that answers as the test says, keeps what it got, and models a prompt cache |
//! | [`raw`] | either end of a connection by hand, for what no HTTP library would write |
//! | [`tls_provider`] | a provider behind TLS, served by the test |
//! | [`connect_proxy`] | an HTTP proxy that makes tunnels |
//! | [`store_link`] | a proxy's line to Redis, and whether the proxy may have gone without its store |
//! | [`tcp_proxy`] | a TCP proxy that slows, stalls or cuts |
//! | [`ports`], [`wait`], [`random`] | free ports, waiting with a limit, random numbers from a printed seed |
//! | [`http`] | HTTP calls: one over a connection of its own, or several over one of HTTP/2 |
//! | [`client`] | an agent that sends a conversation and checks what becomes of it |
//! | [`conversation`] | conversations, recorded or made up, and how clients write them |
//! | [`audit`] | what was replaced in a body, found without the product's own code |
//! | [`forms`] | the life of each block's form over a session |
//! | [`queue`] | what only the suites of the queue and the worker share: jobs, results, running pools |
//! | [`report`] | what the programs that measure have in common |
//! | [`recorder`] | a hop between a client and the proxy that keeps what the client sent |
//! | [`tiny_model`] | a token classification model with known answers |
//! | [`collector`] | a collector of traces |
//! | [`promtool`] | Prometheus' own tool, which checks what is meant for Prometheus |
//! | [`venv`] | Python packages, pinned |
//! | [`stage`] | provider, Redis, proxy and worker together |
//!
//! Everything that is started here ends when it is dropped.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "this crate is test code: a panic is how it says that a test failed"
)]

pub mod audit;
pub mod client;
pub mod collector;
pub mod connect_proxy;
pub mod conversation;
pub mod footprint;
pub mod forms;
pub mod http;
pub mod page;
pub mod ports;
pub mod process;
pub mod promtool;
pub mod provider;
pub mod queue;
pub mod random;
pub mod raw;
pub mod recorder;
pub mod redis_kinds;
pub mod redis_server;
pub mod report;
pub mod retrieval;
pub mod roles;
pub mod shortened;
pub mod small_disk;
pub mod stage;
pub mod store_link;
pub mod tcp_proxy;
pub mod tiny_model;
pub mod tls_provider;
pub mod venv;
pub mod wait;
