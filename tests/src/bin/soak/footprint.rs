//! Memory and open files of each process, and their bounds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use headroom_tests::footprint::{figure, open_files};
use serde::Serialize;
use tokio::time::sleep;

use crate::site::Site;
use crate::tally::{Check, Tally};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// How much memory a process may take, in MiB, by the first word of its name. In ten minutes with twelve sessions a replica took 68, a
/// worker 22 and Redis 19. A replica's caches may grow to 80 in longer runs (`proxy/src/records/cache.rs`), and so may an embedded
/// store's; Redis keeps all records of the run.
const MOST_MIB: [(&str, u64); 4] = [
    ("replica", 200),
    ("small", 260),
    ("worker", 100),
    ("redis", 1000),
];
/// How much more memory a process may have at the end of the second half than at the end of the first, in MiB or in percent,
/// whichever is more. In the same run it was 12 MiB: a replica's caches were still filling.
const GROWS_MIB: u64 = 32;
const GROWS_PERCENT: u64 = 30;
/// The processes that are never killed, whose memory therefore shows a leak.
const NEVER_KILLED: [&str; 3] = ["replica 1", "worker 1", "small disk"];
/// How many more files a process may have open when all is over than when all began.
const MORE_FILES: usize = 4;

/// What one process was seen to hold.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Footprint {
    pub(crate) most_mib: u64,
    /// The most in the last quarter of the first half, and of the second.
    pub(crate) first_half_mib: u64,
    pub(crate) second_half_mib: u64,
    pub(crate) files_begun: usize,
    pub(crate) files_most: usize,
    pub(crate) files_ended: usize,
}

/// What all processes were seen to hold, by their names.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Footprints(pub(crate) BTreeMap<String, Footprint>);

impl Footprints {
    /// Before anything has happened.
    pub(crate) fn begin(site: &Site) -> Self {
        let mut all = Self::default();
        for (name, pid) in site.running() {
            let files = open_files(pid).unwrap_or_default();
            all.0.entry(name).or_default().files_begun = files;
        }
        all
    }

    /// Looks again and again for so long, and for crashes, too.
    pub(crate) async fn watch(&mut self, site: &Site, tally: &Tally, time: Duration) {
        let begun = Instant::now();
        let mut crashed = Vec::new();
        while begun.elapsed() < time {
            self.look(site, begun.elapsed().as_secs_f64() / time.as_secs_f64());
            for process in site.processes() {
                if let Some(log) = process.has_crashed()
                    && !crashed.contains(&process.name)
                {
                    let what = format!("{} has ended by itself\n{log}", process.name);
                    tally.violation(Check::Processes, &what);
                    crashed.push(process.name.clone());
                }
            }
            sleep(LOOK).await;
        }
    }

    fn look(&mut self, site: &Site, share: f64) {
        for (name, pid) in site.running() {
            let seen = self.0.entry(name).or_default();
            // What a process holds that has just ended is nothing.
            seen.memory(figure(pid, "VmRSS").unwrap_or_default() >> 10, share);
            seen.files_most = seen.files_most.max(open_files(pid).unwrap_or_default());
        }
    }

    /// Looks once more, when all is over.
    pub(crate) fn end(&mut self, site: &Site) {
        for (name, pid) in site.running() {
            let files = open_files(pid).unwrap_or_default();
            self.0.entry(name).or_default().files_ended = files;
        }
    }

    /// The processes that hold more files than when all began, Redis apart: its clients are ours.
    pub(crate) fn with_files_open(&self) -> impl Iterator<Item = (&String, &Footprint)> {
        let all = self.0.iter().filter(|(name, _)| *name != "redis");
        all.filter(|(_, seen)| seen.files_ended > seen.files_begun + MORE_FILES)
    }

    /// Says what is beyond its bounds.
    pub(crate) fn check(&self, tally: &Tally) {
        for (name, seen) in &self.0 {
            let most = most_mib(name);
            if seen.most_mib > most {
                let what = format!("{name} took {} MiB, more than {most}", seen.most_mib);
                tally.violation(Check::Memory, &what);
            }
            if NEVER_KILLED.contains(&name.as_str()) && seen.grows() {
                let what = format!(
                    "{name} took {} MiB at the end of the first half and {} at the end of the second",
                    seen.first_half_mib, seen.second_half_mib
                );
                tally.violation(Check::Memory, &what);
            }
        }
        for (name, seen) in self.with_files_open() {
            let what = format!(
                "{name} had {} files open when all began, and has {} after all is over",
                seen.files_begun, seen.files_ended
            );
            tally.violation(Check::OpenFiles, &what);
        }
    }
}

impl Footprint {
    /// Takes in how much memory it has after this share of the time.
    fn memory(&mut self, mib: u64, share: f64) {
        self.most_mib = self.most_mib.max(mib);
        if (0.375..0.5).contains(&share) {
            self.first_half_mib = self.first_half_mib.max(mib);
        }
        if share >= 0.875 {
            self.second_half_mib = self.second_half_mib.max(mib);
        }
    }

    fn grows(&self) -> bool {
        let may = self.first_half_mib + GROWS_MIB.max(self.first_half_mib * GROWS_PERCENT / 100);
        self.second_half_mib > may
    }
}

/// How much memory the process of this name may take.
pub(crate) fn most_mib(name: &str) -> u64 {
    let mut bounds = MOST_MIB.iter();
    let bound = bounds.find(|(kind, _)| name.starts_with(kind));
    bound.map_or(u64::MAX, |(_, most)| *most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_the_first_half_and_stays_is_a_leak() {
        let grown = |last| {
            let mut seen = Footprint::default();
            for (mib, share) in [(90, 0.1), (50, 0.4), (300, 0.6), (last, 0.9)] {
                seen.memory(mib, share);
            }
            assert_eq!(seen.most_mib, 300);
            seen.grows()
        };
        assert!(!grown(50 + GROWS_MIB));
        assert!(grown(50 + GROWS_MIB + 1));
    }

    #[test]
    fn every_process_has_a_bound() {
        for name in ["replica 2", "worker 3", "small disk", "redis"] {
            assert!(most_mib(name) < u64::MAX, "{name}");
        }
    }
}
