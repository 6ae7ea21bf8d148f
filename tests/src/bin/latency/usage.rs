//! CPU time and memory of a process, as Linux's `/proc` tells them. Elsewhere they are not known and stand as 0.

use std::fs;
use std::time::Duration;

use headroom_tests::footprint::figure;

/// CPU time that the threads of a process have had.
pub(crate) fn cpu(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let times = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}

/// Memory in MB: what is resident now, and the most that ever was.
pub(crate) fn memory_mb(pid: u32) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "far fewer kB than 2^52")]
    let mb = |name| figure(pid, name).unwrap_or_default() as f64 * 1024.0 / 1e6;
    (mb("VmRSS"), mb("VmHWM"))
}
