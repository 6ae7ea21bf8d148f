//! What can be asked for.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::targets::{Store, Target};

/// Measures what the proxy adds to a request, beside a direct connection and nginx.
#[derive(Debug, Parser)]
#[command(
    name = "latency",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) role: Option<Role>,

    /// Sizes of bodies, in bytes.
    #[arg(long, value_delimiter = ',', default_value = "2000,200000,2000000", value_parser = clap::value_parser!(u32).range(2000..=20_000_000))]
    pub(crate) bodies: Vec<u32>,

    /// Counts of connections that send at the same time.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) connections: Vec<u32>,

    /// Tasks of the proxy to measure; direct and nginx are always measured.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "off,known-prefix,half-replaced,deferred"
    )]
    pub(crate) targets: Vec<Target>,

    /// Stores to measure the proxy with.
    #[arg(long, value_delimiter = ',', default_value = "redis,embedded")]
    pub(crate) stores: Vec<Store>,

    /// A `headroom-proxy` of another build, to be measured in the same rounds as this one.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) baseline: Option<PathBuf>,

    /// Rounds, in each of which every target has its turn.
    #[arg(long, default_value_t = 31, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rounds: u32,

    /// Event streams at once; 0 leaves them out.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(..=20_000))]
    pub(crate) streams: u32,

    /// Requests after a pause over a real distance (needs the rights to make network namespaces); 0 leaves them out.
    #[arg(long, default_value_t = 7, global = true, value_parser = clap::value_parser!(u32).range(..=1000))]
    pub(crate) pauses: u32,

    /// Write the figures to this file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// The other programs that this one can be, each in a process of its own.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// The proxy.
    #[command(hide = true)]
    Proxy,
    /// The provider at the far end of a distance.
    #[command(hide = true)]
    Provider {
        /// Address and port to listen on.
        address: String,
    },
    /// The client at the near end of a distance.
    #[command(hide = true)]
    Near {
        /// Address and port of the provider.
        provider: String,
    },
}
