//! `headroom-worker model`: downloads a model.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use headroom_shared::runtime::config::fail;

/// A step on models.
#[derive(Debug, Clone, Args)]
pub struct ModelCommand {
    /// The step.
    #[command(subcommand)]
    pub action: Action,
}

/// The steps.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// Download a model from Hugging Face, or from the hub that `HF_ENDPOINT` names: its model.onnx, tokenizer.json and config.json.
    Pull {
        /// The repository, as owner/name.
        #[arg(value_name = "REPO", value_parser = repository)]
        repository: String,
        /// Folder for the files [default: the repository's name, here].
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
}

/// Runs a command on models and prints what became of it. 0: done; 1: could not.
#[must_use]
pub fn run(command: &ModelCommand) -> ExitCode {
    let Action::Pull { repository, to } = &command.action;
    let name = repository.rsplit('/').next().unwrap_or_default();
    let to = to.clone().unwrap_or_else(|| PathBuf::from(name));
    match pull(repository, &to) {
        Ok(()) => {
            #[expect(clippy::print_stdout, reason = "the output of a command")]
            {
                println!(
                    "{repository} is in {dir}: HEADROOM_MODEL={dir}",
                    dir = to.display()
                );
            }
            ExitCode::SUCCESS
        }
        Err(error) => fail("headroom-worker", &error),
    }
}

#[cfg(feature = "model")]
fn pull(repository: &str, to: &std::path::Path) -> anyhow::Result<()> {
    crate::model::pull(repository, to)
}

#[cfg(not(feature = "model"))]
fn pull(_repository: &str, _to: &std::path::Path) -> anyhow::Result<()> {
    anyhow::bail!("{}", crate::load_model::NO_SUPPORT)
}

fn repository(text: &str) -> Result<String, String> {
    let is_name = |name: &str| {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(good)
    };
    match text.split_once('/') {
        Some((owner, name)) if is_name(owner) && is_name(name) => Ok(text.to_owned()),
        _ => Err("takes a repository as owner/name".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_an_owner_and_a_name() {
        assert!(repository("an-owner/a_model.v2").is_ok());
        for wrong in [
            "",
            "name",
            "/name",
            "a/b/c",
            "a/..",
            "../b",
            "a/b?c",
            "https://x/y",
        ] {
            assert!(repository(wrong).is_err(), "{wrong}");
        }
    }
}
