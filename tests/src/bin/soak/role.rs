//! The other programs that this one can be, each in a process of its own, set up by environment variables as they always are.

use std::process::ExitCode;

use clap::Subcommand;
use headroom_tests::roles;

/// What this process is.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Role {
    /// The proxy.
    #[command(hide = true)]
    Proxy,
    /// The worker.
    #[command(hide = true)]
    Worker,
}

impl Role {
    /// Does what the program of this name does.
    pub(crate) fn play(self) -> ExitCode {
        match self {
            Self::Proxy => roles::proxy(),
            Self::Worker => roles::worker(),
        }
    }
}
