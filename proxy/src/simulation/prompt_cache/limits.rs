//! What the providers' caches require and how long they keep, by model. Sources: `docs/providers.md` ("Prompt caches").

use headroom_shared::contract::model::{Version, claude, gpt};
use serde_json::Value;

const MINUTE_MS: u64 = 60 * 1000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// How many markers of a request Anthropic takes, and how many entries OpenAI writes for one.
pub(super) const MOST_WRITES: usize = 4;
/// How many blocks Anthropic looks at from each marker backwards, the marked one among them.
pub(super) const LOOK_BACK: usize = 20;
/// How many places of a conversation OpenAI looks at from the end backwards. (Another copy of the same page says 50.)
pub(super) const MOST_PLACES: usize = 80;
/// The shortest prefix that OpenAI caches, in tokens.
pub(super) const OPENAI_MINIMUM: u64 = 1024;
/// The steps in which the prefixes of models before GPT-5.6 are cached, in tokens.
pub(super) const STEP: u64 = 128;

/// The shortest prefix that Anthropic caches, in tokens, by family from a version on, the latest first.
///
/// Fable 5.1 and later and Opus 5.5 are assumed to have their predecessors' minimum, as are Sonnet 5.5 and Haiku 5.5. Sonnet 4.6 cached
/// nothing below 2,048 in one public report.
const MINIMUMS: [(&str, Version, u64); 8] = [
    ("fable", Version(5, 0), 512),
    ("mythos", Version(5, 0), 512),
    ("opus", Version(5, 0), 512),
    ("opus", Version(4, 8), 1024),
    ("opus", Version(4, 7), 2048),
    ("opus", Version(4, 5), 4096),
    ("haiku", Version(4, 5), 4096),
    ("haiku", Version(3, 0), 2048),
];

/// And of every other model.
const OTHER_MINIMUM: u64 = 1024;

/// The shortest prefix that Anthropic caches for this model, in tokens.
pub(super) fn anthropic_minimum(model: &str) -> u64 {
    let Some((family, version)) = claude(model) else {
        return OTHER_MINIMUM;
    };
    let row = MINIMUMS
        .iter()
        .find(|(known, from, _)| *known == family && version >= *from);
    row.map_or(OTHER_MINIMUM, |(.., minimum)| *minimum)
}

/// For how long Anthropic is asked to keep an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Five minutes.
    Short,
    /// An hour.
    Hour,
}

impl Life {
    /// What a `cache_control` asks for; nothing where it is `null`.
    pub(super) fn of_mark(mark: &Value) -> Option<Self> {
        match mark {
            Value::Null => None,
            mark if mark["ttl"] == "1h" => Some(Self::Hour),
            _ => Some(Self::Short),
        }
    }

    /// In milliseconds.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        match self {
            Self::Short => 5 * MINUTE_MS,
            Self::Hour => HOUR_MS,
        }
    }
}

/// How OpenAI caches, by generation of its models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// Before GPT-5.5, and models that are not known: the longest prefix, for 5 to 10 minutes (the model of the cache takes 5), or for a
    /// day where the request asks for it.
    Prefixes,
    /// GPT-5.5: the longest prefix, always for a day.
    PrefixesForADay,
    /// GPT-5.6 and later: prefixes that end at breakpoints.
    Breakpoints,
}

impl Generation {
    pub(super) fn of(model: &str) -> Self {
        match gpt(model) {
            Some(version) if version >= Version(5, 6) => Self::Breakpoints,
            Some(Version(5, 5)) => Self::PrefixesForADay,
            _ => Self::Prefixes,
        }
    }

    /// How long an entry lives, in milliseconds.
    pub(super) const fn life_ms(self, asks_for_a_day: bool) -> u64 {
        match self {
            Self::Prefixes if !asks_for_a_day => 5 * MINUTE_MS,
            Self::Prefixes | Self::PrefixesForADay => 24 * HOUR_MS,
            Self::Breakpoints => 30 * MINUTE_MS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_cached_prefix_depends_on_the_model() {
        for (model, minimum) in [
            ("claude-fable-5", 512),
            ("claude-fable-5-1", 512),
            ("claude-mythos-5", 512),
            ("claude-opus-5-5-20261001", 512),
            ("claude-opus-5", 512),
            ("claude-opus-4-8", 1024),
            ("claude-opus-4-7", 2048),
            ("us.anthropic.claude-opus-4-6-v1", 4096),
            ("claude-opus-4-5-20251101", 4096),
            ("claude-opus-4-1-20250805", 1024),
            ("claude-sonnet-5", 1024),
            ("claude-sonnet-4-6", 1024),
            ("claude-sonnet-4-5-20250929", 1024),
            ("claude-haiku-4-5", 4096),
            ("claude-3-5-haiku-20241022", 2048),
            ("claude-3-haiku-20240307", 2048),
            ("another", 1024),
        ] {
            assert_eq!(anthropic_minimum(model), minimum, "{model}");
        }
    }

    #[test]
    fn openai_s_models_cache_in_three_ways() {
        for (model, generation) in [
            ("gpt-4o-mini", Generation::Prefixes),
            ("gpt-5-codex", Generation::Prefixes),
            ("openai/gpt-5.4", Generation::Prefixes),
            ("o3", Generation::Prefixes),
            ("gemini-3-pro", Generation::Prefixes),
            ("gpt-5.5-pro", Generation::PrefixesForADay),
            ("gpt-5.6-sol", Generation::Breakpoints),
            ("gpt-6.1-sol", Generation::Breakpoints),
            ("gpt-6", Generation::Breakpoints),
        ] {
            assert_eq!(Generation::of(model), generation, "{model}");
        }
        assert_eq!(Generation::Prefixes.life_ms(false), 300_000);
        assert_eq!(Generation::Prefixes.life_ms(true), 86_400_000);
        assert_eq!(Generation::PrefixesForADay.life_ms(false), 86_400_000);
        assert_eq!(Generation::Breakpoints.life_ms(true), 1_800_000);
    }
}
