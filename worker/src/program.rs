//! The program around [`crate::run`]: log, signals and exit code.

use std::process::ExitCode;

use anyhow::bail;
use headroom_shared::queue::Timing;
use headroom_shared::runtime::{config, shutdown::until_second_signal, telemetry};
use headroom_shared::traces::Traces;
use tokio_util::sync::CancellationToken;

use crate::handler::Work;
use crate::{Settings, panics};

/// Does the work that `work` makes of the settings until SIGTERM or SIGINT. 0: stopped in good order; 1: could not work; 2: a setting is missing.
#[must_use]
pub fn run(settings: Settings, work: impl FnOnce(&Settings) -> Work, timing: Timing) -> ExitCode {
    if let Err(missing) = settings.redis_url() {
        return missing.report();
    }
    match run_logged(settings, work, timing) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => config::fail("headroom-worker", &error),
    }
}

/// Logs as the settings say, and works on a runtime of its own. All that was logged is written when this returns.
fn run_logged(
    settings: Settings,
    work: impl FnOnce(&Settings) -> Work,
    timing: Timing,
) -> anyhow::Result<()> {
    let _log = telemetry::start(&settings.log);
    let _traces = Traces::start("headroom-worker", env!("CARGO_PKG_VERSION"));
    panics::hide_messages();
    let work = work(&settings);
    let runtime = tokio::runtime::Runtime::new()?;
    let ended = runtime.block_on(run_until_signal(settings, work, timing));
    // A job that ran longer than the grace went back to the queue: nothing waits for it.
    runtime.shutdown_background();
    ended
}

async fn run_until_signal(settings: Settings, work: Work, timing: Timing) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let running = Box::pin(crate::run(settings, work, timing, shutdown.clone()));
    let ended = until_second_signal(running, shutdown).await;
    ended.unwrap_or_else(|| {
        bail!("ended at once by a second signal: other workers take over the jobs in work")
    })
}
