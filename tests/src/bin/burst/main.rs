//! The cold starts of many sessions at the same moment, through real programs: how soon is the queue empty again, and how much
//! sooner with more workers?
//!
//! For each count of workers: a fresh redis-server (that keeps nothing on disk), scripted provider, proxy and worker
//! processes; the proxy and the workers are this program itself in those roles, so that they are always the same build. When
//! every worker waits for a job, all sessions send their cold starts at once. Then each goes on with its next turns at a human
//! pace until one goes out compressed; one that has none by the time the queue is empty sends turns until one does, so that
//! every run also shows that all its results are used.
//!
//! The clock runs from the first cold start that is sent, to the first look (every 4 ms) that finds as many jobs done as there
//! are sessions, and every list empty. So the time that proxy and provider take for the cold starts is part of it, and nothing
//! is held back to leave it out; the table says how long all of them took. A session waits from its own cold start until its
//! compressed prefix is announced.
//!
//! With a model, its loading is not part of the time, and each session must end with a text that lacks words.
//!
//! | file | what |
//! |---|---|
//! | `args` | what can be asked for |
//! | `role` | the proxy and the worker, and the work that is added to each job |
//! | `model` | what makes the workers and the proxy use a model, and whether they do |
//! | `sessions` | the sessions, recorded or generated |
//! | `prose` | what generated sessions for a model say |
//! | `run` | one run with one count of workers |
//! | `cpu` | CPU time: using it, and how much is to be had |
//! | `watch` | when the queue is empty, and when each session's result was there |
//! | `figures` | percentiles, speed-ups, and the JSON report |
//! | `table` | the report for people |

mod args;
mod cpu;
mod figures;
mod model;
mod prose;
mod role;
mod run;
mod sessions;
mod table;
mod watch;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use headroom_shared::runtime::config;
use headroom_tests::redis_server;
use headroom_tests::report::{JsonFile, run_program};

use self::args::Args;
use self::figures::Report;
use self::sessions::Source;

const NAME: &str = "burst";

fn main() -> ExitCode {
    let args = match config::parse::<Args>(std::env::args_os()) {
        Ok(args) => args,
        Err(refused) => return refused.report(),
    };
    if let Some(role) = args.role {
        return role.play();
    }
    run_program(NAME, measure(&args))
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    redis_server::is_installed()?;
    let json = args.json.as_deref().map(JsonFile::create).transpose()?;
    let source = match args.model {
        Some(_) => Source::Prose,
        None => Source::find(),
    };
    let mut report = Report::default();
    for workers in args.counts() {
        let measured = run::run(args, &source, workers).await;
        let measured = measured.with_context(|| format!("--workers {workers}"))?;
        report.add(workers, args.kind(), &measured);
    }
    if let Some(json) = json {
        json.write(&report)?;
    }
    writeln!(std::io::stdout(), "{}", table::of(&report, args, &source))?;
    Ok(())
}
