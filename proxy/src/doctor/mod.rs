//! `headroom-proxy doctor`: says what is wrong on this machine and around it, and what to do.
//!
//! What is looked at is in `look`; what a finding means is pure, in a file for each thing: `listener`, `data_folder`, `redis`, `providers`,
//! `clients`.

mod check;
mod clients;
mod data_folder;
mod listener;
mod look;
mod providers;
mod redis;

use std::process::ExitCode;

use anyhow::Context as _;
use headroom_shared::runtime::output;
use tokio::runtime::Builder;

use crate::commands::DoctorArgs;
use crate::settings::Settings;

/// Looks at everything, prints what it found, and gives the code to exit with: 0 if nothing failed, 1 otherwise.
///
/// # Errors
/// When the system gives no threads.
pub fn run(args: DoctorArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let checks = runtime.block_on(Box::pin(look::at_all(settings)));
    // What took too long is not waited for.
    runtime.shutdown_background();
    let text = if args.json {
        check::json(&checks)
    } else {
        check::lines(&checks)
    };
    output::print(&text).context("can't write to the standard output")?;
    Ok(ExitCode::from(u8::from(check::has_failed(&checks))))
}
