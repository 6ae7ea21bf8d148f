//! `headroom-worker`: settings, log, signals, and an exit code.

use std::process::ExitCode;

use headroom_shared::{config, telemetry};
use headroom_worker::{Settings, panics};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let settings: Settings = match config::parse(std::env::args_os()) {
        Ok(settings) => settings,
        Err(refused) => return refused.report(),
    };
    if let Err(missing) = settings.redis_url() {
        return missing.report();
    }
    telemetry::start(&settings.log);
    panics::hide_messages();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let stop = CancellationToken::new();
    let ended = runtime.block_on(async {
        let (mut terminate, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let running = headroom_worker::run(settings, stop.clone());
        let told = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            stop.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = running => ended,
            () = told => Ok(()),
        }
    });
    // A job that outlived the grace is somebody else's now: nothing waits for it.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    tracing::error!("{error:#}");
    ExitCode::FAILURE
}
