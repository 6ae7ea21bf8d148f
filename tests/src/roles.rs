//! The programs that another program of ours can be, so that both are the same build. They are set up by environment variables
//! as they always are.

use std::process::ExitCode;

use headroom_shared::queue::Timing;
use headroom_shared::runtime::config;
use headroom_worker::{process, program};

/// Does what `headroom-proxy` does.
#[must_use]
pub fn proxy() -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok();
    let settings = match headroom_proxy::Settings::read(["headroom-proxy"], variable) {
        Ok(settings) => settings,
        Err(refused) => return refused.report(),
    };
    match headroom_proxy::serve_alone(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => config::fail("headroom-proxy", &error),
    }
}

/// Does what `headroom-worker` does.
#[must_use]
pub fn worker() -> ExitCode {
    match config::parse(["headroom-worker"]) {
        Ok(settings) => program::run(settings, process::work_for, Timing::default()),
        Err(refused) => refused.report(),
    }
}
