//! The part of `/stats` that other commands of this program read.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use url::Url;

/// What a proxy is and has counted since it was started.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Stats {
    pub(crate) proxy: About,
    /// `embedded` or `redis`.
    pub(crate) store: String,
    /// Requests by what was done with them, and `total`.
    pub(crate) requests: BTreeMap<String, u64>,
    /// Texts that were sent in the original at first, by why.
    pub(crate) blocks_uncompressed: BTreeMap<String, u64>,
    pub(crate) cost: Costs,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct About {
    pub(crate) version: String,
    /// `lossless` or `recoverable`.
    pub(crate) tier: String,
    /// Responses and work behind them that have not ended.
    pub(crate) under_way: u64,
    /// Base URL of Anthropic's API, as its settings have it.
    #[serde(deserialize_with = "url")]
    pub(crate) anthropic: Url,
    /// Base URL of `OpenAI`'s API, as its settings have it.
    #[serde(deserialize_with = "url")]
    pub(crate) openai: Url,
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

/// What requests cost.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(crate) struct Costs {
    #[serde(flatten)]
    pub(crate) total: Cost,
    pub(crate) models: BTreeMap<String, Cost>,
}

/// What some requests cost, in dollars.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
pub(crate) struct Cost {
    /// How many were billed.
    pub(crate) requests: u64,
    pub(crate) usd: f64,
    /// What they would have cost in the originals.
    pub(crate) shadow_usd: f64,
    /// Whether the prices are those of another model.
    pub(crate) guessed_prices: bool,
}
