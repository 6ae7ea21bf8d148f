//! What the program can do instead of serving, as the command line says it.

#[cfg(unix)]
use std::ffi::OsString;

#[cfg(unix)]
use clap::Args;
use clap::Subcommand;
#[cfg(unix)]
use headroom_shared::contract::tier::Tier;
use headroom_shared::runtime::reference::Reference;
use headroom_worker::queue_command::QueueCommand;

use crate::replay::ReplayArgs;

/// What the program can do instead of serving.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Show what a made-up session sends and saves: without a server, an agent or a key.
    Demo,
    /// Show what your own sessions cost, and what they would have cost through this proxy: reads the transcripts that Claude Code and
    /// Codex keep, without a server, a network or a key.
    Replay(ReplayArgs),
    /// Run Claude Code, Codex or another client through this proxy, which is started for it where none runs, and say what it cost.
    #[cfg(unix)]
    Wrap(WrapArgs),
    /// Look for what is wrong: the address, the data folder or Redis, workers, providers, and where clients on this machine ask. Nothing is
    /// sent that costs.
    #[cfg(unix)]
    Doctor(DoctorArgs),
    /// Look into the queue and set it right: that in Redis where one is set, else that of the proxy that runs here.
    Queue(QueueCommand),
    /// Serve for as long as a `wrap` uses it.
    #[cfg(unix)]
    #[command(hide = true)]
    WrapProxy,
    #[command(flatten)]
    Reference(Reference),
}

/// The flags of `wrap`, and what it runs.
#[cfg(unix)]
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "headroom-proxy wrap [OPTIONS] claude|codex [ARGS]...\n       headroom-proxy wrap [OPTIONS] -- COMMAND [ARGS]..."
)]
pub struct WrapArgs {
    /// What compressed texts may leave out, in place of `HEADROOM_TIER`: lossless: nothing; recoverable: lines that the agent can fetch again,
    /// with a tool that it is given.
    #[arg(long)]
    pub tier: Option<Tier>,

    /// The client that is run.
    #[command(subcommand)]
    pub client: Option<ClientArgs>,

    /// Any other command, which reads `ANTHROPIC_BASE_URL` or `OPENAI_BASE_URL`.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// A client that is known by its name.
#[cfg(unix)]
#[derive(Debug, Clone, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum ClientArgs {
    /// Claude Code: `claude`.
    Claude(OwnArgs),
    /// Codex CLI: `codex`.
    Codex(OwnArgs),
}

/// A client's own arguments.
#[cfg(unix)]
#[derive(Debug, Clone, Args)]
#[command(disable_help_flag = true)]
pub struct OwnArgs {
    /// They are the client's as they stand, also those that begin with a dash.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<OsString>,
}

/// The flags of `doctor`.
#[cfg(unix)]
#[derive(Debug, Clone, Copy, Args)]
pub struct DoctorArgs {
    /// Print JSON instead of lines.
    #[arg(long)]
    pub json: bool,
}
