//! What the proxy does with requests and responses, whatever is in them: both sides of HTTP.

mod answers;
mod bad_input;
mod connections;
mod disconnects;
mod encodings;
mod endpoints;
mod expectations;
mod headers;
mod http2;
mod named_upstream;
mod pass_through;
mod routing;
mod slow_bodies;
mod slow_readers;
mod smuggling;
mod streaming;
mod tls_upstream;
mod upstream_proxy;
mod websocket;
mod websocket_requests;
