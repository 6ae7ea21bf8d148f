//! Which core runs what: clients and provider share the last one, the target under test has the first to itself.

use std::process::{Command, Stdio};

/// Keeps this process, and what it starts, to the last core; whether the target under test can have one of its own.
pub(crate) fn keep_to_one() -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        return false;
    }
    let set = Command::new("taskset")
        .args([
            "-acp",
            &(cores - 1).to_string(),
            &std::process::id().to_string(),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    set.is_ok_and(|status| status.success())
}

/// What to start a target through, so that it runs on the first core.
pub(crate) fn alone(own_core: bool) -> &'static [&'static str] {
    if own_core {
        &["taskset", "-c", "0"]
    } else {
        &[]
    }
}
