//! What a running program holds, as the system counts it: sockets, threads, memory.

use std::future::ready;

use crate::process::Process;
use crate::wait;

impl Process {
    /// How many sockets it has open: its listeners, its clients', its providers' and those of the runtime.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn sockets(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.pid());
        let files = std::fs::read_dir(folder).expect("the program runs");
        let target = |file: std::fs::DirEntry| std::fs::read_link(file.path()).ok();
        let targets = files.filter_map(|file| file.ok().and_then(target));
        targets
            .filter(|target| target.to_string_lossy().starts_with("socket:"))
            .count()
    }

    /// Waits until it has at most this many sockets open.
    ///
    /// # Panics
    /// When it keeps more.
    pub async fn until_sockets(&self, most: usize) {
        let closed = wait::within(wait::DEADLINE, || {
            ready((self.sockets() <= most).then_some(()))
        });
        assert!(
            closed.await.is_some(),
            "{} sockets stay open, not {most}",
            self.sockets()
        );
    }

    /// A figure of its `/proc/<pid>/status`, such as `Threads` or `VmRSS` (in kB).
    ///
    /// # Panics
    /// When it has ended or there is no such figure.
    #[must_use]
    pub fn figure(&self, name: &str) -> u64 {
        figure(self.pid(), name).expect("the program runs, and a figure of that name")
    }
}

/// How many files a process has open, sockets included; `None` where the system tells none.
#[must_use]
pub fn open_files(pid: u32) -> Option<usize> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    Some(files.count())
}

/// A figure of a process's `/proc/<pid>/status`, such as `Threads` or `VmRSS` (in kB); `None` where the system tells none.
#[must_use]
pub fn figure(pid: u32, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}
