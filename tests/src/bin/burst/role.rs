//! The other programs that this one can be, each in a process of its own, set up by environment variables as they always are.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use headroom_shared::queue::{Job, Timing};
use headroom_shared::runtime::config;
use headroom_worker::pool::Work;
use headroom_worker::{Settings, process, program};

use crate::args::Added;
use crate::cpu::use_up;

/// What this process is.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// The proxy.
    #[command(hide = true)]
    Proxy,
    /// The worker, with something added to every job.
    #[command(hide = true)]
    Worker(Added),
}

impl Role {
    /// Does what the program of this name does.
    pub(crate) fn play(self) -> ExitCode {
        match self {
            Self::Proxy => headroom_tests::roles::proxy(),
            Self::Worker(added) => worker(added),
        }
    }
}

fn worker(added: Added) -> ExitCode {
    match config::parse(["headroom-worker"]) {
        Ok(settings) => program::run(
            settings,
            |settings| work(settings, added),
            Timing::default(),
        ),
        Err(refused) => refused.report(),
    }
}

/// What the real worker does, and what is added.
fn work(settings: &Settings, added: Added) -> Work {
    let Work {
        handler: real,
        model,
    } = process::work_for(settings);
    let handler = Arc::new(move |job: &Job, deadline| {
        std::thread::sleep(added.sleep());
        use_up(added.work());
        real(job, deadline)
    });
    Work { handler, model }
}
