//! [`Continuations`]: how often conversations go on before the provider's cache of them has surely expired, by the turns that they have had.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The ranges of turns for which requests are counted: 0, 1, 2–3, 4–7 and so on, the last with all from 256 on.
const RANGES: usize = 10;
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
    requests: [u64; RANGES],
    continued: [u64; RANGES],
}

impl Continuations {
    /// Nothing is known.
    pub(crate) const NONE: Self = Self {
        requests: [0; RANGES],
        continued: [0; RANGES],
    };

    /// What one request tells: its conversation has had so many `turns`, and had had as many as `before` says at the request that it follows in
    /// time, if there is one.
    pub(crate) fn of_request(turns: usize, before: Option<usize>) -> Self {
        let mut counts = Self::NONE;
        counts.requests[range(turns)] = 1;
        if let Some(before) = before {
            counts.continued[range(before)] = 1;
        }
        counts
    }

    /// Those of conversations that go on after so many of a thousand requests, whatever their turns.
    #[cfg(test)]
    pub(crate) const fn of_a_thousand(continued: u64) -> Self {
        Self {
            requests: [1_000; RANGES],
            continued: [continued; RANGES],
        }
    }

    /// Adds those.
    pub(super) fn add(&mut self, added: &Self) {
        for at in 0..RANGES {
            let (requests, continued) = (&mut self.requests[at], &mut self.continued[at]);
            *requests = requests.saturating_add(added.requests[at]);
            *continued = continued.saturating_add(added.continued[at]);
            while *requests >= MAX_REQUESTS {
                (*requests, *continued) = (*requests / 2, *continued / 2);
            }
        }
    }

    /// Of each figure the larger one.
    pub(super) fn max(&mut self, other: &Self) {
        for at in 0..RANGES {
            self.requests[at] = self.requests[at].max(other.requests[at]);
            self.continued[at] = self.continued[at].max(other.continued[at]);
        }
    }

    /// How many more requests of a conversation with so many turns are expected to read from the provider's cache what it holds now.
    pub(crate) fn expected_reads(&self, turns: usize) -> f64 {
        let last = RANGES - 1;
        let rate = self.rate(last);
        // The same rate for ever: rate + rate² + …
        let mut expected = rate / (1.0 - rate);
        for at in (turns..first_turn(last)).rev() {
            expected = self.rate(range(at)) * (1.0 + expected);
        }
        expected.min(MAX_READS)
    }

    /// The part of the requests in this range of turns after which the conversation goes on in time.
    fn rate(&self, range: usize) -> f64 {
        let prior = EXPECTED_READS / (EXPECTED_READS + 1.0);
        let continued = self.continued[range] as f64 + prior * PRIOR_REQUESTS;
        let requests = self.requests[range] as f64 + PRIOR_REQUESTS;
        // Several conversations may go on from one request.
        (continued / requests).min(MAX_READS / (MAX_READS + 1.0))
    }

    /// How many requests there were, where none was so long ago that it counts less.
    pub(super) fn requests(&self) -> u64 {
        let requests = self.requests.iter();
        requests.fold(0, |sum, it| sum.saturating_add(*it))
    }

    /// For `/stats`: the requests, and the expected reads after so many turns.
    pub(super) fn stats(&self) -> Value {
        let expected = (0..RANGES).map(|range| {
            let turns = first_turn(range);
            let reads = (self.expected_reads(turns) * 10.0).round() / 10.0;
            (turns.to_string(), reads.into())
        });
        json!({"requests": self.requests(), "after_turns": Value::Object(expected.collect())})
    }
}

/// The range of conversations with so many turns.
fn range(turns: usize) -> usize {
    let digits = usize::BITS - turns.leading_zeros();
    (digits as usize).min(RANGES - 1)
}

/// The fewest turns of a range.
const fn first_turn(range: usize) -> usize {
    (1 << range) >> 1
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
    fn each_number_of_turns_has_its_range() {
        for (turns, expected) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (255, 8), (256, 9)] {
            assert_eq!(range(turns), expected, "{turns}");
        }
        assert_eq!(range(usize::MAX), RANGES - 1);
        for at in 0..RANGES {
            assert_eq!(range(first_turn(at)), at);
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
        let long = conversations(200, 300);
        assert!(long.expected_reads(5) > 80.0, "{long:?}");
        // Where half of the conversations have ended, half as many reads are expected, about.
        let mut both = short;
        both.add(&long);
        let (expected, half) = (both.expected_reads(5), long.expected_reads(5) / 2.0);
        assert!((expected / half - 1.0).abs() < 0.4, "{expected} {half}");
        // Behind that, the short ones say nothing.
        assert!((both.expected_reads(64) - long.expected_reads(64)).abs() < 1e-6);
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
            requests: [1; RANGES],
            continued: [u64::MAX; RANGES],
        };
        assert!((many.expected_reads(0) - MAX_READS).abs() < 1e-6);
    }
}
