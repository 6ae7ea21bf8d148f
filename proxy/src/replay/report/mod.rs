//! What a replay came to, and how it is shown.
//!
//! | file | what |
//! |---|---|
//! | here | the sums over all sessions |
//! | `table` | for a person at a terminal |
//! | `json` | for programs |
//! | `html`, `page.html` | for a browser |

mod html;
mod json;
mod table;

pub(super) use self::html::html;
pub(super) use self::json::json;
pub(super) use self::table::{table, unread};

use super::policy::Policy;
use super::session::{Outcome, ratio};
use super::sources::Sources;
use super::transcripts::Skipped;

/// A bill that is higher by less than this part of it is not higher: sums of fractions are not exact.
const ROUNDING: f64 = 1e-9;

/// What a replay came to.
#[derive(Debug)]
pub(super) struct Report {
    /// The sessions, the one that costs most without a proxy first.
    pub(super) sessions: Vec<Outcome>,
    /// The policies that were played.
    pub(super) policies: Vec<Policy>,
    /// Where the savings come from.
    pub(super) sources: Sources,
    /// What could not be read.
    pub(super) skipped: Skipped,
}

impl Report {
    pub(super) fn new(mut sessions: Vec<Outcome>, policies: Vec<Policy>, skipped: Skipped) -> Self {
        let direct = |outcome: &Outcome| outcome.usd(Policy::Direct);
        sessions.sort_by(|a, b| {
            direct(b)
                .total_cmp(&direct(a))
                .then_with(|| a.id.cmp(&b.id))
        });
        let mut sources = Sources::default();
        for session in &sessions {
            sources.add(&session.sources);
        }
        Self {
            sessions,
            policies,
            sources,
            skipped,
        }
    }

    /// What all sessions cost under a policy, in dollars.
    fn usd(&self, policy: Policy) -> f64 {
        self.sessions
            .iter()
            .map(|session| session.usd(policy))
            .sum()
    }

    /// How many requests were played.
    fn requests(&self) -> usize {
        self.sessions.iter().map(Outcome::requests).sum()
    }

    /// What all sessions cost under a policy as a part of what they cost directly.
    fn ratio(&self, policy: Policy) -> f64 {
        ratio(self.usd(policy), self.usd(Policy::Direct))
    }

    /// The largest such part that a session has.
    fn worst_ratio(&self, policy: Policy) -> f64 {
        let ratios = self.sessions.iter().map(|session| session.ratio(policy));
        ratios.fold(0.0, f64::max)
    }

    /// The sessions that cost more through the proxy than directly.
    fn dearer(&self) -> impl Iterator<Item = &Outcome> {
        let is_dearer = |session: &&Outcome| session.ratio(Policy::Headroom) > 1.0 + ROUNDING;
        self.sessions.iter().filter(is_dearer)
    }

    /// The sessions of which the proxy saves the largest and the smallest part.
    fn best_and_worst(&self) -> Option<(&Outcome, &Outcome)> {
        let by_ratio = |a: &&Outcome, b: &&Outcome| {
            a.ratio(Policy::Headroom)
                .total_cmp(&b.ratio(Policy::Headroom))
        };
        let best = self.sessions.iter().min_by(by_ratio)?;
        Some((best, self.sessions.iter().max_by(by_ratio)?))
    }
}
