//! Redis as users run it: with TLS, behind a sentinel, as a cluster.

mod cluster;
mod sentinel;
mod tls;

pub use self::cluster::Cluster;
pub use self::sentinel::Sentinel;
pub use self::tls::Tls;
