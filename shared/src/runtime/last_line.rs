//! The line with which a program says why it ends.

use std::io::{Write as _, stderr};
use std::time::Duration;

use super::run_within::run_within;

/// Whoever reads standard error may have stalled: a program that ends waits no longer than this until the line is written.
const LIMIT: Duration = Duration::from_secs(1);

/// Writes a line to standard error, and waits for that no longer than a second. Where it is closed, there is nobody to tell.
pub fn write(line: &str) {
    let line = format!("{line}\n");
    let write = |line: &str| {
        let _ = stderr().write_all(line.as_bytes());
    };
    let of_thread = line.clone();
    if run_within(LIMIT, move || write(&of_thread)).is_err() {
        write(&line);
    }
}
