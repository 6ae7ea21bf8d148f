//! `headroom-proxy`, the program.

use std::process::ExitCode;

use headroom_proxy::{Command, Settings};
use headroom_shared::runtime::config;

fn main() -> ExitCode {
    let settings = match Settings::read(std::env::args_os(), |name| std::env::var(name).ok()) {
        Ok(settings) => settings,
        Err(refused) => return refused.report(),
    };
    run(settings).unwrap_or_else(|error| config::fail("headroom-proxy", &error))
}

/// Does what the settings ask for, and gives the code to exit with.
fn run(mut settings: Settings) -> anyhow::Result<ExitCode> {
    match settings.command.take() {
        Some(Command::Demo) => headroom_proxy::demo::play()?,
        Some(Command::Replay(args)) => headroom_proxy::replay::run(&args)?,
        #[cfg(unix)]
        Some(Command::Wrap(args)) => return headroom_proxy::wrap::run(&args, &settings),
        #[cfg(unix)]
        Some(Command::Doctor(args)) => return headroom_proxy::doctor::run(args, &settings),
        #[cfg(unix)]
        Some(Command::WrapProxy) => headroom_proxy::wrap::serve(settings)?,
        Some(Command::Queue(command)) => {
            return headroom_proxy::queue_command::run(&command, &settings);
        }
        Some(Command::Reference(what)) => what.write::<Settings>()?,
        None => headroom_proxy::serve_alone(settings)?,
    }
    Ok(ExitCode::SUCCESS)
}
