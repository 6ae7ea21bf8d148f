//! `headroom-proxy`, the program.

use std::process::ExitCode;

use headroom_proxy::{Command, Settings};
use headroom_shared::runtime::config;

fn main() -> ExitCode {
    let settings = match Settings::read(std::env::args_os(), |name| std::env::var(name).ok()) {
        Ok(settings) => settings,
        Err(refused) => return refused.report(),
    };
    let ended = match &settings.command {
        Some(Command::Demo) => headroom_proxy::demo::play(),
        Some(Command::Replay(args)) => headroom_proxy::replay::run(args),
        Some(Command::Reference(what)) => what.write::<Settings>().map_err(Into::into),
        None => headroom_proxy::serve_alone(settings),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => config::fail("headroom-proxy", &error),
    }
}
