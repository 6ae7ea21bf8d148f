//! What can be asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum as _};

use crate::fault::Kind;
use crate::role::Role;

/// The shortest soak: one in which a fault or two have their time.
const SHORTEST_MINUTES: f64 = 0.2;
const LONGEST_MINUTES: f64 = 7.0 * 24.0 * 60.0;

/// Runs many sessions through two proxies, three workers and a Redis while these are killed, stopped, cut off, slowed, filled and
/// emptied, and fails if anything is wrong.
#[derive(Debug, Parser)]
#[command(
    name = "soak",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "It needs redis-server, and listens on 127.0.0.1 alone. Sessions are recorded ones where ../shared/corpus/sessions \
                  lies beside the checkout, and the project's own fixtures otherwise.\n\n\
                  The seed decides which faults come in which order, whom they hit and how long they last, and what each session \
                  is and how it goes on. How these fall together in time depends on the machine as well.\n\n\
                  Exit code: 0 if nothing was wrong, 1 if something was or the run was interrupted, 2 for a bad command line."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) role: Option<Role>,

    /// How long sessions run, in minutes; 0.5 is half of one. Until the queue is empty and all is checked it takes a little more.
    #[arg(long, value_name = "M", default_value = "10", value_parser = minutes)]
    pub(crate) minutes: Duration,

    /// What all that is random is drawn from. From the clock if it is not given, and printed.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Sessions that run at the same time.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) sessions: u32,

    /// Bring only these kinds of fault. All if it is not given.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) faults: Vec<Kind>,

    /// Leave these kinds of fault out.
    #[arg(
        long,
        value_name = "KIND",
        value_delimiter = ',',
        conflicts_with = "faults"
    )]
    pub(crate) without: Vec<Kind>,

    /// Run some sessions through a third proxy, too, whose embedded store is on a disk that fills and has room again. It needs the right
    /// to mount a tmpfs.
    #[arg(long)]
    pub(crate) disk: bool,

    /// Write the report to this file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl Args {
    /// The kinds of fault to bring.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        let all = Kind::value_variants().iter().copied();
        all.filter(|kind| self.faults.is_empty() || self.faults.contains(kind))
            .filter(|kind| !self.without.contains(kind))
            .collect()
    }

    /// The command that runs the same with this seed.
    pub(crate) fn replay(&self, seed: u64) -> String {
        let release = if cfg!(debug_assertions) {
            ""
        } else {
            "--release "
        };
        let mut words = vec![format!(
            "cargo run {release}-p headroom-tests --bin soak -- --minutes {} --sessions {} --seed {seed}",
            self.minutes.as_secs_f64() / 60.0,
            self.sessions
        )];
        for (flag, kinds) in [("--faults", &self.faults), ("--without", &self.without)] {
            let names: Vec<String> = kinds.iter().map(Kind::to_string).collect();
            if !names.is_empty() {
                words.push(format!("{flag} {}", names.join(",")));
            }
        }
        if self.disk {
            words.push("--disk".to_owned());
        }
        words.join(" ")
    }
}

fn minutes(text: &str) -> Result<Duration, String> {
    let minutes: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if !(SHORTEST_MINUTES..=LONGEST_MINUTES).contains(&minutes) {
        return Err(format!(
            "takes {SHORTEST_MINUTES} to {LONGEST_MINUTES} minutes"
        ));
    }
    Ok(Duration::from_secs_f64(60.0 * minutes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_shared::runtime::config::parse;

    fn args(words: &[&str]) -> Args {
        parse([&["soak"], words].concat()).unwrap()
    }

    #[test]
    fn minutes_may_be_a_fraction() {
        assert_eq!(args(&["--minutes", "0.5"]).minutes, Duration::from_secs(30));
        for bad in ["0", "-1", "x", "NaN"] {
            let words = ["soak".to_owned(), format!("--minutes={bad}")];
            assert!(parse::<Args>(words).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_command_to_replay_says_all_that_matters() {
        let asked = args(&["--faults", "data-lost,redis-stopped", "--disk"]);
        let replay = asked.replay(7);
        let words = replay.split_once(" -- ").unwrap().1;
        let again = args(&words.split(' ').collect::<Vec<_>>());
        assert_eq!(again.seed, Some(7));
        assert_eq!(again.kinds(), [Kind::RedisStopped, Kind::DataLost]);
        assert_eq!(
            (again.minutes, again.sessions, again.disk),
            (asked.minutes, asked.sessions, true)
        );
        let all = args(&[]).kinds();
        let without = args(&["--without", "data-lost"]);
        assert_eq!(without.kinds().len(), all.len() - 1);
        assert!(without.replay(7).ends_with("--without data-lost"));
    }
}
