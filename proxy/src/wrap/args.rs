//! The words of the command line.

use std::ffi::OsString;

use anyhow::bail;
use clap::{Args, Subcommand};
use headroom_shared::contract::tier::Tier;

use super::environment::Environment;
use super::find::Found;
use super::upstreams::Asked;
use super::{Invocation, claude, codex, other};
use crate::dialect::Provider;

/// The flags of `wrap`, and what it runs.
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
#[derive(Debug, Clone, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum ClientArgs {
    /// Claude Code: `claude`.
    Claude(OwnArgs),
    /// Codex CLI: `codex`.
    Codex(OwnArgs),
}

/// A client's own arguments.
#[derive(Debug, Clone, Args)]
#[command(disable_help_flag = true)]
pub struct OwnArgs {
    /// They are the client's as they stand, also those that begin with a dash.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<OsString>,
}

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client<'a> {
    /// Claude Code with these arguments.
    Claude(&'a [OsString]),
    /// Codex CLI with these arguments.
    Codex(&'a [OsString]),
    /// A command of these words, at least one.
    Other(&'a [OsString]),
}

impl WrapArgs {
    /// What is to be run.
    pub(super) fn client(&self) -> anyhow::Result<Client<'_>> {
        match (&self.client, self.command.as_slice()) {
            (Some(ClientArgs::Claude(own)), _) => Ok(Client::Claude(&own.args)),
            (Some(ClientArgs::Codex(own)), _) => Ok(Client::Codex(&own.args)),
            (None, []) => bail!(
                "nothing to run: headroom-proxy wrap claude, headroom-proxy wrap codex or headroom-proxy wrap -- COMMAND"
            ),
            (None, command) => Ok(Client::Other(command)),
        }
    }
}

impl Client<'_> {
    /// Where it would send requests without us, by provider, as far as it was told.
    pub(super) fn would_ask(self, environment: &Environment) -> anyhow::Result<Vec<Asked>> {
        match self {
            Self::Claude(args) => claude::would_ask(args, environment),
            Self::Codex(_) => codex::would_ask(environment),
            Self::Other(_) => other::would_ask(environment),
        }
    }

    /// The providers whose requests it sends.
    pub(super) const fn providers(self) -> &'static [Provider] {
        match self {
            Self::Claude(_) => &[Provider::Anthropic],
            Self::Codex(_) => &[Provider::OpenAi],
            Self::Other(_) => &[Provider::Anthropic, Provider::OpenAi],
        }
    }

    /// What it is started with to ask this proxy.
    pub(super) fn invocation(
        self,
        found: &Found,
        environment: &Environment,
    ) -> anyhow::Result<Invocation> {
        let url = found.url.as_str().trim_end_matches('/');
        let offers_tool = found.offers_tool();
        match self {
            Self::Claude(args) => Ok(claude::invocation(args, url, offers_tool, environment)),
            Self::Codex(args) => codex::invocation(args, url, offers_tool, environment),
            Self::Other(words) => Ok(other::invocation(words, url)),
        }
    }

    /// The variable by which it asks somebody else than its base URL says, if one is set.
    pub(super) fn asks_past(self, environment: &Environment) -> Option<&'static str> {
        match self {
            Self::Claude(_) => claude::asks_past(environment),
            Self::Codex(_) | Self::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        wrap: WrapArgs,
    }

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_client_s_own_words_stay_as_they_are() {
        let client_args = words(&["-p", "--tier", "x", "--", "--help"]);
        let all = [
            words(&["wrap", "--tier", "recoverable", "claude"]),
            client_args.clone(),
        ]
        .concat();
        let read = Program::try_parse_from(all).unwrap().wrap;
        assert_eq!(read.client().unwrap(), Client::Claude(&client_args));
        assert_eq!(read.tier, Some(Tier::Recoverable));

        let read = Program::try_parse_from(words(&["wrap", "codex", "--help"]))
            .unwrap()
            .wrap;
        assert_eq!(read.client().unwrap(), Client::Codex(&words(&["--help"])));

        let command = words(&["claude", "--", "-x"]);
        let all = [words(&["wrap", "--"]), command.clone()].concat();
        let read = Program::try_parse_from(all).unwrap().wrap;
        assert_eq!(read.client().unwrap(), Client::Other(&command));
    }

    #[test]
    fn what_can_t_be_run_is_told() {
        let read = Program::try_parse_from(["wrap"]).unwrap().wrap;
        assert!(
            read.client()
                .unwrap_err()
                .to_string()
                .contains("nothing to run")
        );
        assert!(Program::try_parse_from(["wrap", "python", "x"]).is_err());
        assert!(Program::try_parse_from(["wrap", "--teir", "x"]).is_err());
    }
}
