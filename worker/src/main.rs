//! `headroom-worker`.

use std::process::ExitCode;

use headroom_shared::config;
use headroom_shared::queue::Timing;
use headroom_worker::{Settings, process, program};

fn main() -> ExitCode {
    match config::parse::<Settings>(std::env::args_os()) {
        Ok(settings) => program::run(settings, process::work(), Timing::default()),
        Err(refused) => refused.report(),
    }
}
