//! Which fault comes when: in rounds, each of which has every kind once, in an order of its own.

use std::time::Duration;

use headroom_tests::random::Random;

use crate::fault::{Fault, Kind};

/// How long a fault lasts, and how long all is well before the next, in milliseconds: the shortest time, and what may be added.
const LASTS_MS: (usize, usize) = (300, 3500);
const PAUSE_MS: (usize, usize) = (1000, 3000);

/// The faults to come.
#[derive(Debug)]
pub(crate) struct Schedule {
    random: Random,
    kinds: Vec<Kind>,
    round: Vec<Kind>,
}

impl Schedule {
    /// Faults of these kinds, drawn from a seed.
    pub(crate) fn drawn(seed: u64, kinds: Vec<Kind>) -> Self {
        Self {
            random: Random::of(seed),
            kinds,
            round: Vec::new(),
        }
    }

    /// How long all is well, and what comes then.
    pub(crate) fn next(&mut self) -> (Duration, Fault) {
        if self.round.is_empty() {
            self.round.clone_from(&self.kinds);
        }
        let at = self.random.below(self.round.len());
        let kind = self.round.swap_remove(at);
        let pause = self.time(PAUSE_MS);
        let fault = Fault {
            kind,
            whom: self.random.below(6),
            lasts: self.time(LASTS_MS),
            slow: self.time((5, 150)),
        };
        (pause, fault)
    }

    fn time(&mut self, (least, more): (usize, usize)) -> Duration {
        let ms = least + self.random.below(more);
        Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_faults_and_a_round_has_every_kind() {
        let kinds = Kind::value_variants();
        let drawn = |seed| {
            let mut schedule = Schedule::drawn(seed, kinds.to_vec());
            let all = (0..2 * kinds.len()).map(|_| schedule.next());
            all.collect::<Vec<_>>()
        };
        let first = drawn(1);
        assert_eq!(first, drawn(1));
        assert_ne!(first, drawn(2));
        for round in first.chunks(kinds.len()) {
            let seen: BTreeSet<Kind> = round.iter().map(|(_, fault)| fault.kind).collect();
            assert_eq!(seen.len(), kinds.len());
        }
    }
}
