//! What can be asked for.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::figures::{Kind, enough_sessions};
use crate::role::Role;

/// Sends the cold starts of many sessions at the same moment and measures how soon workers have compressed them.
#[derive(Debug, Parser)]
#[command(
    name = "burst",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Jobs run in rounds of one a worker, so S sessions show a speed-up of at most S / ceil(S / workers). 15 rounds or \
                  more show a count of workers at its best: --sessions 240 --workers 1,2,4,8,16."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) role: Option<Role>,

    /// Sessions that begin at the same moment.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub(crate) sessions: u32,

    /// Counts of workers to measure, one after the other. One worker is measured in any case: it is the base of the speed-up.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) workers: Vec<u32>,

    /// Spread the workers over processes of one thread each, not over the threads of one process.
    #[arg(long)]
    pub(crate) processes: bool,

    #[command(flatten)]
    pub(crate) added: Added,

    /// Folder of a model with which the workers leave words out of prose (docs/model.md). The sessions are made up, of prose. Needs a build with
    /// the feature `model`, and ONNX Runtime as `ORT_DYLIB_PATH` names it.
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,

    /// Write the figures to this file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// What is added to every job, because the compressors alone are fast.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Added {
    /// CPU time added to every job, in milliseconds: stands in for a model.
    #[arg(long = "work", value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=600_000))]
    work_ms: u32,

    /// Time added to every job without using the CPU, in milliseconds: shows the queue's own scaling on few cores.
    #[arg(long = "sleep", value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=600_000))]
    sleep_ms: u32,
}

impl Added {
    /// CPU time.
    pub(crate) fn work(self) -> Duration {
        Duration::from_millis(self.work_ms.into())
    }

    /// Time that passes.
    pub(crate) fn sleep(self) -> Duration {
        Duration::from_millis(self.sleep_ms.into())
    }

    /// The same as arguments.
    pub(crate) fn arguments(self) -> [String; 2] {
        [
            format!("--work={}", self.work_ms),
            format!("--sleep={}", self.sleep_ms),
        ]
    }
}

impl Args {
    /// How the workers are spread.
    pub(crate) fn kind(&self) -> Kind {
        if self.processes {
            Kind::Processes
        } else {
            Kind::Threads
        }
    }

    /// The counts of workers to measure, the base first.
    pub(crate) fn counts(&self) -> BTreeSet<u32> {
        self.workers.iter().copied().chain([1]).collect()
    }

    /// What a reader of the figures should know of what was asked for.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.workers.contains(&1) {
            notes.push("1 worker was measured as the base of the speed-up.".to_owned());
        }
        let most = self.counts().last().copied().unwrap_or(1);
        if self.sessions < most {
            notes.push(format!(
                "{} sessions keep at most {} of {most} workers busy.",
                self.sessions, self.sessions
            ));
        }
        let enough = enough_sessions(most);
        if self.sessions < enough {
            notes.push(format!(
                "To show what {most} workers can do takes --sessions {enough} or more."
            ));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_shared::runtime::config::parse;

    fn args(words: &[&str]) -> Args {
        parse([&["burst"], words].concat()).unwrap()
    }

    #[test]
    fn one_worker_is_always_measured_and_first() {
        let asked = args(&["--workers", "8,2,8"]);
        assert_eq!(asked.counts().into_iter().collect::<Vec<_>>(), [1, 2, 8]);
        assert!(asked.notes()[0].contains("base"));
        assert_eq!(args(&[]).counts().len(), 3);
    }

    #[test]
    fn too_few_sessions_are_said_to_be_so() {
        let notes = args(&["--workers", "1,16"]).notes();
        assert_eq!(
            notes,
            [
                "5 sessions keep at most 5 of 16 workers busy.",
                "To show what 16 workers can do takes --sessions 240 or more."
            ]
        );
        assert!(
            args(&["--sessions", "240", "--workers", "1,16"])
                .notes()
                .is_empty()
        );
    }

    #[test]
    fn a_bad_value_is_one_line() {
        let refused = parse::<Args>(["burst", "--sessions", "0"]).unwrap_err();
        assert!(
            refused
                .line()
                .starts_with("error: SESSIONS (or --sessions)"),
            "{}",
            refused.line()
        );
    }
}
