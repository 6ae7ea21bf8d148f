//! What it costs, and what it saves, to land in a provider's cache that may be alive: the messages are written anew where they would have
//! been read.

use std::time::Duration;

use bytes::Bytes;
use headroom_shared::contract::model::Model;
use headroom_shared::contract::prefix::CompressedBlock;

use crate::plan::known_prefix::KnownPrefix;
use crate::prices::Rates;
use crate::scan::{CacheLife, Scan};

/// A marker that asks for more than this is billed as one for an hour.
const SHORT: Duration = Duration::from_secs(5 * 60);
/// What forms save is estimated; this part of it is sure.
const SURE_PART: f64 = 0.8;

/// What a landing has the provider write anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rewrite {
    facts: Model,
    /// Tokens of all that was sent before, in the originals; rather too many than too few. What stands before the first changed block counts
    /// with the rest: it may be in no entry of its own.
    tokens: f64,
    /// How many fewer the forms have; rather too few.
    saved: f64,
}

impl Rewrite {
    /// That of a result that is to land in a request with so many tokens fewer, as they are estimated, where the last one was to one of these
    /// models; `None` where the size of what was sent before is not known.
    pub(super) fn of<'m>(
        (scan, known): (&Scan, &KnownPrefix),
        saved: i64,
        models: impl Iterator<Item = &'m str>,
    ) -> Option<Self> {
        let stated = known.latest_record()?.usage?.input as f64;
        let denser = models.map(|model| times_denser(scan.facts, Model::named(model)));
        let of_model = scan.facts.tokens_per_100_estimated as f64 / 100.0;
        Some(Self {
            facts: scan.facts,
            tokens: stated * denser.fold(1.0, f64::max),
            saved: saved as f64 * of_model * SURE_PART,
        })
    }

    /// The same where so many tokens before what changes are in an entry of their own, and read.
    pub(super) fn behind(self, kept_tokens: u64) -> Self {
        Self {
            tokens: (self.tokens - kept_tokens as f64).max(0.0),
            ..self
        }
    }

    /// What the request costs more that finds the originals in its cache, in dollars.
    pub(super) fn cost(self, cache: CacheLife, rates: &Rates) -> f64 {
        self.cost_at(write_rate(cache, rates), rates)
    }

    /// What a later request to this model costs more that finds the originals in its cache, whatever marker it has, in dollars.
    pub(super) fn cost_later(self, model: &str, rates: &Rates) -> f64 {
        let denser = times_denser(Model::named(model), self.facts);
        denser * self.cost_at(rates.write.max(rates.write_hour), rates)
    }

    fn cost_at(self, write: f64, rates: &Rates) -> f64 {
        let written = (self.tokens - self.saved).max(0.0) * write;
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

/// How many tokens fewer than what was sent before the messages have with what is to land, as they are estimated; negative where they have
/// more.
pub(super) fn saved_tokens(scan: &Scan, known: &KnownPrefix) -> i64 {
    let saved: i64 = known.to_land().map(|made| saved_by(known, made)).sum();
    let returned = known.to_return(scan).into_iter();
    let returned: i64 = returned.map(|at| added_tokens(known, scan, at)).sum();
    saved - returned
}

/// How many tokens a block's form is shorter than what is sent of it, as they are estimated; negative where it is longer.
pub(super) fn saved_by(known: &KnownPrefix, made: &CompressedBlock) -> i64 {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let (saved, from, to) = (
        signed(made.saved_tokens),
        signed(made.from_bytes),
        signed(made.to_bytes),
    );
    let sent = known.forms.get(&made.place);
    let sent = sent.map(|form| known.texts.get(form).map_or(0, Bytes::len) as u64);
    let sent = sent.map_or(from, |bytes| signed(bytes).min(from));
    // As many tokens a byte as between the original and the form.
    saved.saturating_mul(sent - to) / (from - to).max(1)
}

/// How many tokens a block has more in the original than in the form that was sent, as they are estimated.
fn added_tokens(known: &KnownPrefix, scan: &Scan, at: usize) -> i64 {
    let block = &scan.blocks[at];
    let sent = known.sent_text(block.place).map_or(0, Bytes::len);
    let added = block.span.len().saturating_sub(sent);
    let estimated =
        scan.facts.tokens(added).saturating_mul(100) / scan.facts.tokens_per_100_estimated;
    i64::try_from(estimated).unwrap_or(i64::MAX)
}

/// How many tokens one model makes of what is a token to the other; 1 at least.
fn times_denser(one: Model, other: Model) -> f64 {
    let [one, other] = [one, other].map(|it| it.tokens_per_100_estimated as f64);
    (one / other).max(1.0)
}

fn write_rate(cache: CacheLife, rates: &Rates) -> f64 {
    match cache {
        CacheLife::Marked(life) if life > SHORT => rates.write_hour,
        _ => rates.write,
    }
}
