//! `headroom-proxy`, the program.

use std::process::ExitCode;

use headroom_proxy::{Command, Settings};
use headroom_shared::{config, telemetry};
use headroom_worker::panics;

fn main() -> ExitCode {
    let settings = match config::parse::<Settings>(std::env::args_os()) {
        Ok(settings) => settings,
        Err(refused) => return refused.report(),
    };
    if settings.command.is_none() {
        telemetry::start(&settings.log);
    }
    panics::hide_messages();
    let ended = match settings.command {
        Some(Command::Demo) => tokio::runtime::Runtime::new()
            .map_err(Into::into)
            .and_then(|runtime| runtime.block_on(headroom_proxy::demo::play())),
        None => headroom_proxy::serve_alone(settings),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => config::fail("headroom-proxy", &error),
    }
}
