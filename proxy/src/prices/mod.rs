//! What tokens cost.

use headroom_shared::contract::usage::Usage;

/// What a million tokens cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Fresh input.
    pub input: f64,
    /// Input that is written to the cache.
    pub write: f64,
    /// Input that is written to the cache for an hour.
    pub write_hour: f64,
    /// Input that is read from the cache.
    pub read: f64,
    /// Output.
    pub output: f64,
}

impl Rates {
    /// The ratios of most models (`docs/providers.md`), with fresh input at 1 a token: what a usage costs by them is in fresh input tokens.
    pub const RATIOS: Self = Self {
        input: 1e6,
        write: 1.25e6,
        write_hour: 2e6,
        read: 0.1e6,
        output: 0.0,
    };

    /// What a request costs.
    #[must_use]
    pub fn cost(&self, usage: Usage) -> f64 {
        let written = usage.written.saturating_sub(usage.written_hour);
        let costs = [
            (usage.fresh(), self.input),
            (written, self.write),
            (usage.written_hour, self.write_hour),
            (usage.read, self.read),
            (usage.output, self.output),
        ];
        let cost = |(tokens, rate): (u64, f64)| tokens as f64 * rate;
        costs.map(cost).iter().sum::<f64>() / 1e6
    }
}
