//! The other programs that this one can be, each in a process of its own, set up by environment variables as they always are.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use headroom_shared::queue::{Job, Timing};
use headroom_shared::{config, telemetry};
use headroom_worker::pool::Work;
use headroom_worker::{panics, process, program};
use rustix::time::{ClockId, clock_gettime};

use crate::args::Added;

/// How often the busy work looks at the clock: once in so many steps.
const STEPS: u64 = 10_000;

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
            Self::Proxy => proxy(),
            Self::Worker(added) => worker(added),
        }
    }
}

fn proxy() -> ExitCode {
    let settings: headroom_proxy::Settings = match config::parse(["headroom-proxy"]) {
        Ok(settings) => settings,
        Err(refused) => return refused.report(),
    };
    telemetry::start(&settings.log);
    panics::hide_messages();
    let ended = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(headroom_proxy::start(settings)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => config::fail("headroom-proxy", &error),
    }
}

fn worker(added: Added) -> ExitCode {
    match config::parse(["headroom-worker"]) {
        Ok(settings) => program::run(settings, work(added), Timing::default()),
        Err(refused) => refused.report(),
    }
}

/// What the real worker does, and what is added.
fn work(added: Added) -> Work {
    let real = process::work();
    Arc::new(move |job: &Job| {
        std::thread::sleep(added.sleep());
        be_busy(added.work());
        real(job)
    })
}

/// Uses so much CPU time of this thread; time in which another has the core does not count.
fn be_busy(time: Duration) {
    let used = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
    let until = used() + time;
    while used() < until {
        std::hint::black_box((0..STEPS).fold(0, |sum: u64, step| {
            std::hint::black_box(sum.rotate_left(5) ^ step)
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn busy_time_is_at_least_what_was_asked_for() {
        let since = Instant::now();
        be_busy(Duration::from_millis(20));
        assert!(since.elapsed() >= Duration::from_millis(20));
    }
}
