//! Either end of a connection by hand, for what no HTTP library would write or let through.

pub mod frames;
pub(crate) mod handshake;
mod message;
mod provider;
mod socket;
mod stage;
mod strict;

pub use self::message::Message;
pub use self::provider::RawProvider;
pub use self::socket::{Socket, Sockets};
pub use self::stage::{BODY, PATHS, Stage, post};
pub use self::strict::{Came, StrictProvider};
