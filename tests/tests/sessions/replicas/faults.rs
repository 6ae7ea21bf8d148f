//! The faults of the lines to Redis, in an order drawn from the seed.

use std::time::Duration;

use headroom_tests::random::Random;
use headroom_tests::tcp_proxy::Line;

use crate::replicas::site::Site;
use crate::replicas::tally::Tally;

/// Turns that are served under a fault, and between two.
const SOME: usize = 20;
/// The replicas that one fault strikes.
const WHICH: [&[usize]; 3] = [&[0], &[1], &[0, 1]];

/// Each kind of fault once, on one replica or on both.
#[derive(Debug)]
pub(crate) struct Faults(Vec<(Line, &'static [usize])>);

impl Faults {
    pub(crate) fn drawn(random: &mut Random) -> Self {
        let mut lines = vec![
            // Slower than two calls within the budget, and slower than one.
            Line::Slow(Duration::from_millis(80)),
            Line::Slow(Duration::from_millis(300)),
            Line::Trickle(Duration::from_millis(20)),
            Line::Cut,
            Line::HalfOpen,
            Line::Mute,
        ];
        let mut drawn = Vec::new();
        while !lines.is_empty() {
            let line = lines.swap_remove(random.below(lines.len()));
            let replicas = WHICH[random.below(WHICH.len())];
            drawn.push((line, replicas));
        }
        Self(drawn)
    }

    /// Brings all of them, one after the other, while turns are served.
    pub(crate) async fn strike(&self, site: &Site, tally: &Tally) {
        for (line, replicas) in &self.0 {
            progress(tally).await;
            for &replica in *replicas {
                site.replicas[replica].link.disturb(*line);
            }
            progress(tally).await;
            for &replica in *replicas {
                site.replicas[replica].mend().await;
            }
        }
    }
}

async fn progress(tally: &Tally) {
    tally.until_turns(tally.turns() + SOME).await;
}
