//! A `WebSocket`: its [`handshake`] passes to the provider and back, then both sides are joined ([`relay`]). Where a dialect's requests are
//! sent on it, they are read ([`frames`], [`gathered`]), planned as those over HTTP ([`requests`]), and their outcomes noted ([`responses`]);
//! all else passes byte for byte.

mod frames;
mod gathered;
mod handshake;
pub(crate) mod mode;
mod relay;
mod requests;
mod responses;

pub(crate) use self::handshake::Upgrade;
