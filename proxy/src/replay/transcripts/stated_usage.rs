//! The usage that a transcript states: as the provider's response did, or in a form of the client's own.

use headroom_shared::contract::usage::Usage;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::dialect::anthropic::stated_usage;

/// The usage of a response of Anthropic's Messages API.
pub(super) fn anthropic(json: &RawValue) -> Option<Usage> {
    let stated: Value = serde_json::from_str(json.get()).ok()?;
    useful(stated_usage(&stated))
}

/// The usage of a response of OpenAI's, whose input counts hold what was cached, with the count of that beside the others.
pub(super) fn openai(json: &RawValue) -> Option<Usage> {
    let stated: OpenAi = serde_json::from_str(json.get()).ok()?;
    useful(Usage {
        read: stated.cached_tokens.unwrap_or(0),
        written: stated.cache_write_tokens.unwrap_or(0),
        written_hour: 0,
        input: stated.input_tokens.unwrap_or(0),
        output: stated.output_tokens.unwrap_or(0),
    })
}

/// A usage without input says nothing of its request.
fn useful(usage: Usage) -> Option<Usage> {
    let parts = usage.read.saturating_add(usage.written);
    (usage.input > 0 && parts <= usage.input).then_some(usage)
}

#[derive(Deserialize)]
struct OpenAi {
    #[serde(alias = "prompt_tokens")]
    input_tokens: Option<u64>,
    #[serde(alias = "cached_input_tokens")]
    cached_tokens: Option<u64>,
    #[serde(alias = "cache_write_input_tokens")]
    cache_write_tokens: Option<u64>,
    #[serde(alias = "completion_tokens")]
    output_tokens: Option<u64>,
}
