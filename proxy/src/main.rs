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
    telemetry::start(&settings.log);
    panics::hide_messages();
    let work = async {
        match settings.command {
            Some(Command::Demo) => headroom_proxy::demo::play().await,
            None => headroom_proxy::start(settings).await,
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    match runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(work))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => config::fail("headroom-proxy", &error),
    }
}
