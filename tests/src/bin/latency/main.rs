//! What the proxy adds to a request: side by side, in one run, with a direct connection and with nginx.
//!
//! Every target has a client of its own kind of session before it and the same scripted provider behind it. The targets take
//! turns, a few requests each, many rounds long, so that whatever else the machine does falls on all of them alike; the figures
//! are medians over the rounds, of pairs from the same round. Clients and provider run on one core, the target under test on
//! another where there is one to be had (`taskset`). The proxy is this program itself in that role, so that it is always the
//! same build.
//!
//! | file | what |
//! |---|---|
//! | `args` | what can be asked for |
//! | `cores` | which core runs what |
//! | `bodies` | requests of real shape |
//! | `provider` | a provider that costs next to nothing |
//! | `load` | clients with a connection each that send one request after the other |
//! | `targets` | what is measured: direct, nginx, and the proxy at its different tasks |
//! | `nginx` | nginx as a reverse proxy |
//! | `usage` | CPU time and memory of a process |
//! | `requests` | one size of body and number of connections, all targets in turn |
//! | `streams` | many event streams at once |
//! | `distance` | large requests after a pause, with a real distance to the provider |
//! | `figures` | medians, ratios, and the JSON report |
//! | `table` | the report for people |

mod args;
mod bodies;
mod cores;
mod distance;
mod figures;
mod load;
mod nginx;
mod provider;
mod requests;
mod streams;
mod table;
mod targets;
mod usage;

use std::io::Write as _;
use std::process::ExitCode;

use headroom_shared::runtime::config;
use headroom_tests::report::{JsonFile, until_told_to_stop};

use self::args::{Args, Role};
use self::figures::Report;

const NAME: &str = "latency";

fn main() -> ExitCode {
    let args = match config::parse::<Args>(std::env::args_os()) {
        Ok(args) => args,
        Err(refused) => return refused.report(),
    };
    let played = match args.role {
        Some(Role::Proxy) => return headroom_tests::roles::proxy(),
        Some(Role::Provider { address }) => provider::serve(&address),
        Some(Role::Near { provider }) => in_a_runtime(distance::near(&provider, args.pauses)),
        None => in_a_runtime(until_told_to_stop(measure(&args))),
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => config::fail(NAME, &error),
    }
}

fn in_a_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(work)
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let json = args.json.as_deref().map(JsonFile::create).transpose()?;
    let mut report = Report::new(cores::keep_to_one());
    let texts = bodies::Texts::find();
    for bytes in &args.bodies {
        for connections in &args.connections {
            requests::measure(args, &texts, (*bytes, *connections), &mut report).await?;
        }
    }
    if args.streams > 0 {
        streams::measure(args, &mut report).await?;
    }
    if args.pauses > 0 {
        distance::measure(args, &mut report).await?;
    }
    if let Some(json) = json {
        json.write(&report)?;
    }
    writeln!(std::io::stdout(), "{}", table::of(&report, &texts))?;
    Ok(())
}
