//! Prometheus' own tool, which checks what is meant for Prometheus.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Runs `promtool` with these arguments on this text. Gives what it has written, errors included, where it has a complaint.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn complaint(args: &[impl AsRef<OsStr>], text: &str) -> Option<String> {
    let command = Command::new("promtool")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = command.expect(
        "promtool is there: scripts/test installs it, with Debian's package prometheus or Homebrew's",
    );
    let mut stdin = child.stdin.take().expect("a pipe");
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    // It may have ended without having read all.
    let _ = writer.join().expect("no panic");
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let written = [stdout, stderr].concat();
    let written = String::from_utf8_lossy(&written).into_owned();
    (!status.success()).then_some(written)
}
