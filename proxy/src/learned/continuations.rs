//! [`Continuations`]: how often conversations go on while the provider still has them in its cache, by the turns that they have had.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Turns are told apart by their number's binary digits: 0, 1, 2–3, 4–7 and so on, the last with all from 256 on.
const STEPS: usize = 10;
/// The reads that are expected where nothing is known (`docs/architecture.md`).
pub(crate) const EXPECTED_READS: f64 = 21.0;
/// What is expected where nothing is known counts as much as so many requests.
const PRIOR_REQUESTS: f64 = 50.0;
/// At least one of so many requests counts as its conversation's last.
const MAX_READS: f64 = 100.0;
/// From so many requests on both counts are halved, so that what was long ago counts less.
const MAX_REQUESTS: u64 = 10_000;

/// How many requests there were, and after how many of them the conversation went on in time, by its turns before the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Continuations {
    requests: [u64; STEPS],
    continued: [u64; STEPS],
}

impl Continuations {
    /// Nothing is known.
    pub(crate) const NONE: Self = Self {
        requests: [0; STEPS],
        continued: [0; STEPS],
    };

    /// What one request tells: its conversation has had so many `turns`, and had `before` as many at the last request, if it was one that
    /// the provider still had in its cache.
    pub(crate) fn of_request(turns: usize, before: Option<usize>) -> Self {
        let mut counts = Self::NONE;
        counts.requests[step(turns)] = 1;
        if let Some(before) = before {
            counts.continued[step(before)] = 1;
        }
        counts
    }

    /// Those of conversations that go on after so many of a thousand requests, whatever their turns.
    #[cfg(test)]
    pub(crate) const fn of_a_thousand(continued: u64) -> Self {
        Self {
            requests: [1_000; STEPS],
            continued: [continued; STEPS],
        }
    }

    /// Adds those.
    pub(super) fn add(&mut self, added: &Self) {
        for at in 0..STEPS {
            let (requests, continued) = (&mut self.requests[at], &mut self.continued[at]);
            *requests = requests.saturating_add(added.requests[at]);
            *continued = continued.saturating_add(added.continued[at]);
            while *requests >= MAX_REQUESTS {
                (*requests, *continued) = (*requests / 2, *continued / 2);
            }
        }
    }

    /// How many more requests of a conversation with so many turns are expected to read from the provider's cache what it holds now.
    pub(crate) fn expected_reads(&self, turns: usize) -> f64 {
        let last = STEPS - 1;
        let rate = self.rate(last);
        // The same rate for ever: rate + rate² + …
        let mut expected = rate / (1.0 - rate);
        for at in (turns..first_turn(last)).rev() {
            expected = self.rate(step(at)) * (1.0 + expected);
        }
        expected.min(MAX_READS)
    }

    /// The part of the requests at this step after which the conversation goes on in time.
    fn rate(&self, step: usize) -> f64 {
        let prior = EXPECTED_READS / (EXPECTED_READS + 1.0);
        let continued = self.continued[step] as f64 + prior * PRIOR_REQUESTS;
        let requests = self.requests[step] as f64 + PRIOR_REQUESTS;
        // Several conversations may go on from one request.
        (continued / requests).min(MAX_READS / (MAX_READS + 1.0))
    }

    /// For `/stats`: the requests, and the expected reads after so many turns.
    pub(super) fn stats(&self) -> Value {
        let expected = (0..STEPS).map(|step| {
            let turns = first_turn(step);
            let reads = (self.expected_reads(turns) * 10.0).round() / 10.0;
            (turns.to_string(), reads.into())
        });
        let requests = self
            .requests
            .iter()
            .fold(0, |sum: u64, it| sum.saturating_add(*it));
        json!({"requests": requests, "after_turns": Value::Object(expected.collect())})
    }
}

/// The step of conversations with so many turns.
fn step(turns: usize) -> usize {
    let digits = usize::BITS - turns.leading_zeros();
    (digits as usize).min(STEPS - 1)
}

/// The fewest turns of a step.
const fn first_turn(step: usize) -> usize {
    (1 << step) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conversations of so many requests each, every one of which goes on in time.
    fn conversations(count: usize, requests: usize) -> Continuations {
        let mut counts = Continuations::NONE;
        for _ in 0..count {
            for turns in 0..requests {
                counts.add(&Continuations::of_request(turns, turns.checked_sub(1)));
            }
        }
        counts
    }

    #[test]
    fn each_number_of_turns_has_its_step() {
        for (turns, expected) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (255, 8), (256, 9)] {
            assert_eq!(step(turns), expected, "{turns}");
        }
        assert_eq!(step(usize::MAX), STEPS - 1);
        for at in 0..STEPS {
            assert_eq!(step(first_turn(at)), at);
        }
    }

    #[test]
    fn as_many_reads_as_ever_are_expected_where_nothing_is_known() {
        for turns in [0, 1, 30, 255, 256, usize::MAX] {
            let expected = Continuations::NONE.expected_reads(turns);
            assert!(
                (expected - EXPECTED_READS).abs() < 1e-6,
                "{turns}: {expected}"
            );
        }
    }

    #[test]
    fn it_is_learned_how_long_conversations_are() {
        let short = conversations(200, 6);
        assert!(short.expected_reads(5) < 5.0, "{short:?}");
        assert!(short.expected_reads(0) < short.expected_reads(1) + 1.0);
        let long = conversations(200, 300);
        assert!(long.expected_reads(5) > 80.0, "{long:?}");
        assert!(long.expected_reads(5) <= MAX_READS);
        // What is known of long conversations does not change what is expected of those at whose age short ones end.
        let mut both = short;
        both.add(&long);
        assert!(both.expected_reads(5) > short.expected_reads(5));
        assert!(both.expected_reads(5) < long.expected_reads(5));
    }

    #[test]
    fn counts_stay_small_and_the_rates_with_them() {
        let mut counts = Continuations::NONE;
        for _ in 0..3 * MAX_REQUESTS {
            counts.add(&Continuations::of_request(7, Some(7)));
        }
        assert!(counts.requests[3] < MAX_REQUESTS);
        assert!(counts.expected_reads(7).is_finite());
        let many = Continuations {
            requests: [1; STEPS],
            continued: [u64::MAX; STEPS],
        };
        assert!((many.expected_reads(0) - MAX_READS).abs() < 1e-6);
    }
}
