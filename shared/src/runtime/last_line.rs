//! The line with which a program says why it ends.

use std::io::{Write as _, stderr};
use std::sync::Arc;
use std::time::Duration;

use super::run_within::run_within;

/// Whoever reads standard error may have stalled: a program that ends waits no longer than this until the line is written.
const LIMIT: Duration = Duration::from_secs(1);

/// Writes a line to standard error, and waits for that no longer than a second. Where it is closed, there is nobody to tell.
pub fn write(line: &str) {
    let line: Arc<str> = format!("{line}\n").into();
    let write = |line: &str| {
        let _ = stderr().write_all(line.as_bytes());
    };
    let its = line.clone();
    if run_within(LIMIT, move || write(&its)).is_err() {
        write(&line);
    }
}
