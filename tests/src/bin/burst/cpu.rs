//! CPU time: using it, and how much of it is to be had.

use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How long a look at what is free takes.
const LOOK: Duration = Duration::from_millis(300);

/// Uses so much CPU time of this thread; time in which another has the core does not count.
pub(crate) fn use_up(time: Duration) {
    let until = used() + time;
    while used() < until {
        steps();
    }
}

/// How many cores as many threads as there are cores get for themselves now, beside all other programs.
pub(crate) fn free_cores() -> f64 {
    let get = || {
        let (begun, before) = (Instant::now(), used());
        while begun.elapsed() < LOOK {
            steps();
        }
        (used() - before).as_secs_f64() / begun.elapsed().as_secs_f64()
    };
    thread::scope(|scope| {
        let looking: Vec<_> = (0..cores()).map(|_| scope.spawn(get)).collect();
        let got = looking.into_iter().map(|one| one.join().unwrap_or(0.0));
        got.sum()
    })
}

/// How many cores this machine gives us.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn used() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Some microseconds of work.
fn steps() {
    for step in 0..10_000_u64 {
        std::hint::black_box(step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_takes_at_least_as_long() {
        let begun = Instant::now();
        use_up(Duration::from_millis(20));
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn no_more_than_all_cores_are_free() {
        let free = free_cores();
        assert!(0.0 < free && free < cores() as f64 + 0.1, "{free}");
    }
}
