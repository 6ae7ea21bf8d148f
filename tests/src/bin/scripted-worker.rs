//! The real worker with work that a test scripts: the first block's text says what the job does.
//!
//! | text | what |
//! |---|---|
//! | `until <path>` | says so in `<path>.waited-for`, and runs until that file exists |
//! | `until-deadline` | runs until its deadline, as work that looks at it |
//! | `abort` | takes its process down |
//! | anything else | what the real worker does |

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use headroom_shared::compress::Deadline;
use headroom_shared::queue::{Job, Timing};
use headroom_shared::runtime::config;
use headroom_worker::pool::JobHandler;
use headroom_worker::{Settings, process, program};

fn main() -> ExitCode {
    let timing = if std::env::var_os("SCRIPTED_QUICK").is_some() {
        quick()
    } else {
        Timing::default()
    };
    match config::parse::<Settings>(std::env::args_os()) {
        Ok(settings) => program::run(settings, |_| work().into(), timing),
        Err(refused) => refused.report(),
    }
}

/// The real times, a tenth as long.
fn quick() -> Timing {
    Timing {
        heartbeat_interval: Duration::from_millis(300),
        stale_after: Duration::from_millis(1500),
        reap_interval: Duration::from_millis(500),
        shutdown_grace: Duration::from_secs(1),
        stuck_after: Duration::from_secs(1),
        ..Timing::default()
    }
}

fn work() -> JobHandler {
    Arc::new(|job: &Job, deadline: Deadline| {
        let text = job
            .payload
            .blocks
            .first()
            .map_or("", |block| block.text.as_str());
        match text.split_once(' ') {
            Some(("until", path)) => {
                let _ = std::fs::write(format!("{path}.waited-for"), "");
                while !std::path::Path::new(path).exists() {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            _ if text == "until-deadline" => {
                while !deadline.is_over() {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            _ if text == "abort" => std::process::abort(),
            _ => {}
        }
        process::process(&job.payload, deadline)
    })
}
