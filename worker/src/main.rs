//! The program `headroom-worker`: the worker, or with `queue` a command on the queue, with `model` one on models, or what packages carry
//! beside it.

use std::process::ExitCode;

use headroom_shared::queue::Timing;
use headroom_shared::runtime::config;
use headroom_worker::queue_command::{self, Command};
use headroom_worker::{Settings, model_command, process, program};

fn main() -> ExitCode {
    match config::parse::<Settings>(std::env::args_os()) {
        Ok(settings) => match &settings.command {
            Some(Command::Queue(command)) => queue_command::run(&settings.store, command),
            Some(Command::Model(command)) => model_command::run(command),
            Some(Command::Reference(what)) => match what.write::<Settings>() {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => config::fail("headroom-worker", &anyhow::Error::from(error)),
            },
            None => program::run(settings, process::work_for, Timing::default()),
        },
        Err(refused) => refused.report(),
    }
}
