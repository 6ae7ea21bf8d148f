//! A soak: many sessions go on through two proxies, three workers and a Redis while these are killed, stopped, cut off, slowed,
//! filled and emptied, in an order that a printed seed decides. What the provider gets, what the clients get, the queue, the
//! memory and the open files are checked all the while, and the program fails if anything is wrong.
//!
//! The proxies and the workers are this program itself in those roles, so that they are always the same build.
//!
//! | file | what |
//! |---|---|
//! | `args` | what can be asked for |
//! | `role` | the proxy and the worker |
//! | `site` | all that runs, and what is known of its state |
//! | `fault` | the kinds of fault, and how each is brought and ended |
//! | `schedule` | which fault comes when |
//! | `play` | which session comes when, each with its conversation and pace |
//! | `session` | one session: its turns, and what is checked of each |
//! | `rule` | what may become of a block that was sent before |
//! | `tally` | counts and violations |
//! | `footprint` | memory and open files of each process, and their bounds |
//! | `run` | one soak from its beginning to its end |
//! | `report` | the report as JSON and for people |

mod args;
mod fault;
mod footprint;
mod play;
mod report;
mod role;
mod rule;
mod run;
mod schedule;
mod session;
mod site;
mod tally;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use headroom_shared::runtime::config;
use headroom_tests::redis_server;
use headroom_tests::report::{JsonFile, run_program};
use headroom_tests::small_disk::SmallDisk;

use self::args::Args;

const NAME: &str = "soak";
/// How large the small disk is.
const DISK: &str = "16m";

fn main() -> ExitCode {
    let args = match config::parse::<Args>(std::env::args_os()) {
        Ok(args) => args,
        Err(refused) => return refused.report(),
    };
    if let Some(role) = args.role {
        return role.play();
    }
    run_program(NAME, soak(&args))
}

async fn soak(args: &Args) -> anyhow::Result<()> {
    redis_server::is_installed()?;
    let disk = args.disk.then(|| SmallDisk::mount(DISK)).transpose()?;
    let json = args.json.as_deref().map(JsonFile::create).transpose()?;
    let seed = args.seed.unwrap_or_else(from_the_clock);
    say(&format!("seed {seed}; replay: {}", args.replay(seed)));
    let report = run::run(args, seed, disk).await?;
    say(&report.text());
    say(&format!("seed {seed}; replay: {}", args.replay(seed)));
    if let Some(json) = json {
        json.write(&report)?;
    }
    let violations = report.violations();
    ensure!(violations == 0, "{violations} violations");
    Ok(())
}

/// A seed that differs from run to run and is short enough to be typed.
fn from_the_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(1, |since| since.as_millis() as u64 % 1_000_000)
}

/// Writes a line. Nobody may be reading any more.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
