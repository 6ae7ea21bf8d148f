//! The program around [`crate::run`]: log, signals, and an exit code.

use std::process::ExitCode;

use headroom_shared::queue::Timing;
use headroom_shared::runtime::{config, shutdown, telemetry};
use tokio_util::sync::CancellationToken;

use crate::handler::JobHandler;
use crate::{Settings, panics};

/// Runs until SIGTERM or SIGINT. 0: stopped in good order; 1: could not work; 2: a setting is missing.
#[must_use]
pub fn run(settings: Settings, work: JobHandler, timing: Timing) -> ExitCode {
    if let Err(missing) = settings.redis_url() {
        return missing.report();
    }
    telemetry::start(&settings.log);
    panics::hide_messages();
    let ended = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let ended = runtime.block_on(until_told_to_stop(settings, work, timing));
            // A job that outlived the grace is somebody else's now: nothing waits for it.
            runtime.shutdown_background();
            ended
        });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => config::fail("headroom-worker", &error),
    }
}

async fn until_told_to_stop(
    settings: Settings,
    work: JobHandler,
    timing: Timing,
) -> anyhow::Result<()> {
    let stopping = CancellationToken::new();
    let mut running = Box::pin(crate::run(settings, work, timing, stopping.clone()));
    tokio::select! {
        ended = &mut running => return ended,
        () = shutdown::signal() => {}
    }
    stopping.cancel();
    running.await
}
