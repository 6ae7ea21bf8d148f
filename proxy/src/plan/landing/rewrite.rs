//! What it costs, and what it saves, to land in a provider's cache that is alive: all from the first changed block on is written anew where it
//! would have been read.

use std::time::Duration;

use crate::plan::known_prefix::KnownPrefix;
use crate::prices::Rates;
use crate::scan::{CacheLife, Scan};

/// A marker that asks for more than this is billed as one for an hour.
const SHORT: Duration = Duration::from_secs(5 * 60);

/// What a landing has the provider write anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rewrite {
    /// Tokens of the originals, from the first changed block to the end of what was sent before; rather too many than too few.
    tokens: f64,
    /// How many fewer the forms have.
    saved: f64,
}

impl Rewrite {
    /// That of the compressed prefix that is to land in a request; `None` where the size of what was sent before is not known.
    pub(super) fn of(scan: &Scan, known: &KnownPrefix) -> Option<Self> {
        let first = known.to_land().map(|made| made.place).min()?;
        let at = scan.blocks.iter().find(|block| block.place == first)?;
        let end = scan.resume_points.message_end(known.frozen)?;
        let behind = end.checked_sub(at.span.start)?;
        let sent = end.checked_sub(scan.resume_points.messages()?.start)?;
        let input = known.latest_record()?.usage?.input;
        // What stands beside the messages is in the input, too.
        let stated = input as f64 * behind as f64 / sent as f64;
        let estimated = scan.facts.tokens(behind) as f64;
        let saved: u64 = known.to_land().map(|made| made.saved_tokens).sum();
        let of_model = scan.facts.tokens_per_100_estimated as f64 / 100.0;
        Some(Self {
            tokens: stated.max(estimated),
            saved: saved as f64 * of_model,
        })
    }

    /// What the request costs more that finds the originals in its cache, in dollars.
    pub(super) fn cost(self, cache: CacheLife, rates: &Rates) -> f64 {
        let written = (self.tokens - self.saved).max(0.0) * write_rate(cache, rates);
        (written - self.tokens * rates.read) / 1e6
    }

    /// What a request costs less that would have written the originals, in dollars.
    pub(super) fn saved_by_writing(self, cache: CacheLife, rates: &Rates) -> f64 {
        self.saved * write_rate(cache, rates) / 1e6
    }

    /// What each further request costs less that would have read the originals, in dollars.
    pub(super) fn saved_by_reading(self, rates: &Rates) -> f64 {
        self.saved * rates.read / 1e6
    }
}

fn write_rate(cache: CacheLife, rates: &Rates) -> f64 {
    match cache {
        CacheLife::Marked(life) if life > SHORT => rates.write_hour,
        _ => rates.write,
    }
}
