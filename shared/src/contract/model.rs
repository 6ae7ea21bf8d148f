//! Facts about the providers' models. A model that is not listed is treated like the most restrictive ones.

/// Facts of one model that decide what may be sent in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// Whether a thinking block or a reasoning item is bound to everything before it, so that nothing before it may ever change.
    pub binds_thinking: bool,
    /// Bytes of tool output that make a hundred tokens.
    pub bytes_per_100_tokens: u64,
    /// Tokens of this model for a hundred of the estimate (`compress::estimated_millitokens`), which is of `o200k_base`.
    pub tokens_per_100_estimated: u64,
}

/// An unknown model: binding, and as many bytes a token as was measured on Opus and Sonnet 4.5–4.6.
const UNKNOWN: Model = Model {
    binds_thinking: true,
    bytes_per_100_tokens: 285,
    tokens_per_100_estimated: 100,
};

/// Families of Claude with the first version that binds thinking, and the first with the denser tokenizer.
///
/// Source: Anthropic's documentation of preserved thinking, prefix checks and pricing, November 2026: Fable 5.1 and Opus 5.5 bind, and
/// models before Fable 5.1 do not. Its page on prefix checks lists Mythos 5.1, Haiku 5.5 and Fable 5.2, too; of Mythos 5.1 another
/// source says the opposite: it counts as binding. So do Sonnet 5.5 and later releases, of which nothing is said.
/// Bytes a token: measured on recorded tool output, 2.85 up to 4.6 and 2.2 after. Tokens for 100 estimated: 125 up to 4.6, as the context
/// that the provider stated grew from turn to turn in recorded sessions; after that 162, more in the same ratio as bytes a token are fewer
/// (`docs/providers.md`).
const CLAUDE: [(&str, Version, Version); 5] = [
    ("fable", Version(5, 1), Version(4, 7)),
    ("opus", Version(5, 5), Version(4, 7)),
    ("sonnet", Version(5, 1), Version(4, 7)),
    ("haiku", Version(5, 1), Version(4, 7)),
    ("mythos", Version(5, 1), Version(4, 7)),
];

/// How the names of OpenAI's models begin whose reasoning is free of what stands before it, or that do none.
///
/// Source: OpenAI's pages on preserved reasoning, November 2026: on newer frontier models, which they do not name, a change to an earlier
/// tool result drops the reasoning after it. So only the generations before GPT-5 count as free.
const OPENAI_FREE: [&str; 6] = ["gpt-3.5", "gpt-4", "o1", "o3", "o4", "chatgpt-4"];

/// A version: major and minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Default for Model {
    /// The facts of a model that is not known.
    fn default() -> Self {
        UNKNOWN
    }
}

impl Model {
    /// The facts of the model with this name, as a request names it (with or without a date, a cloud's prefix or a suffix).
    #[must_use]
    pub fn named(name: &str) -> Self {
        let bare = name.rsplit('/').next().unwrap_or(name);
        if OPENAI_FREE.iter().any(|prefix| bare.starts_with(prefix)) {
            return Self {
                binds_thinking: false,
                ..UNKNOWN
            };
        }
        let Some((family, version)) = claude(bare) else {
            return UNKNOWN;
        };
        let Some((_, binds_from, dense_from)) = CLAUDE.iter().find(|(known, ..)| *known == family)
        else {
            return UNKNOWN;
        };
        let (bytes_per_100_tokens, tokens_per_100_estimated) = if version >= *dense_from {
            (220, 162)
        } else {
            (UNKNOWN.bytes_per_100_tokens, 125)
        };
        Self {
            binds_thinking: version >= *binds_from,
            bytes_per_100_tokens,
            tokens_per_100_estimated,
        }
    }

    /// Tokens that `bytes` of a conversation make, about.
    #[must_use]
    pub const fn tokens(&self, bytes: usize) -> u64 {
        (bytes as u64).saturating_mul(100) / self.bytes_per_100_tokens
    }
}

/// Family and version in a name such as `claude-opus-4-6`, `anthropic.claude-sonnet-4-5-20250929-v1:0` or
/// `claude-3-5-haiku-20241022`. `None` for the name of another model.
#[must_use]
pub fn claude(name: &str) -> Option<(&str, Version)> {
    let rest = &name[name.find("claude-")? + "claude-".len()..];
    let words: Vec<&str> = rest.split(['-', '@', ':', '[', '.']).collect();
    let family = words
        .iter()
        .find(|word| CLAUDE.iter().any(|(known, ..)| known == *word))?;
    let mut numbers = words
        .iter()
        .filter_map(|word| word.parse::<u32>().ok().filter(|number| *number < 100));
    let version = Version(numbers.next()?, numbers.next().unwrap_or(0));
    Some((family, version))
}

/// The version in a name such as `gpt-5.6`, `gpt-6.1-sol` or `openai/gpt-4o`. `None` for the name of another model.
#[must_use]
pub fn gpt(name: &str) -> Option<Version> {
    let rest = &name[name.find("gpt-")? + "gpt-".len()..];
    let mut numbers = rest.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let mut numbers = numbers.next()?.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().and_then(|minor| minor.parse().ok());
    Some(Version(major, minor.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_bind_are_known() {
        for name in [
            "claude-fable-5-1",
            "claude-opus-5-5",
            "claude-opus-5-5-20261001",
            "claude-sonnet-5-5",
            "claude-opus-6",
            "claude-zephyr-1",
            "claude-mythos-5-1",
            "claude-haiku-5-5",
            "gpt-6.1-sol",
            "openai/gpt-5.6",
            "gpt-5-codex",
            "gemini-3",
            "",
            "claude-",
        ] {
            assert!(Model::named(name).binds_thinking, "{name}");
        }
        for name in [
            "claude-opus-4-6",
            "claude-opus-5",
            "claude-opus-5-20260601",
            "claude-sonnet-5",
            "claude-mythos-5",
            "claude-3-5-haiku-20241022",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude-opus-4-6[1m]",
            "claude-haiku-4-5@20251001",
            "gpt-4.1-mini",
            "openai/gpt-4o",
            "o3",
        ] {
            assert!(!Model::named(name).binds_thinking, "{name}");
        }
    }

    #[test]
    fn newer_models_make_more_tokens_of_the_same_bytes() {
        assert_eq!(Model::named("claude-opus-4-6").tokens(2850), 1000);
        assert_eq!(Model::named("claude-opus-5-5").tokens(2200), 1000);
        for (name, tokens) in [
            ("claude-opus-4-6", 125),
            ("claude-opus-4-7", 162),
            ("gpt-5.6", 100),
            ("another", 100),
        ] {
            assert_eq!(
                Model::named(name).tokens_per_100_estimated,
                tokens,
                "{name}"
            );
        }
    }

    #[test]
    fn versions_are_read_from_names() {
        for (name, version) in [
            ("gpt-5.6", Some(Version(5, 6))),
            ("openai/gpt-6.1-sol", Some(Version(6, 1))),
            ("gpt-5-codex", Some(Version(5, 0))),
            ("gpt-4o-mini", Some(Version(4, 0))),
            ("gpt-oss-120b", None),
            ("o3", None),
        ] {
            assert_eq!(gpt(name), version, "{name}");
        }
        assert_eq!(claude("claude-opus-4-6[1m]"), Some(("opus", Version(4, 6))));
        assert_eq!(claude("claude-mythos-preview"), None);
    }
}
