//! The families that models are counted by: those of the price table that is built in, so that there are few, whatever requests name.

/// A family of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ModelFamily {
    ClaudeFable,
    ClaudeHaiku,
    ClaudeOpus,
    ClaudeSonnet,
    GptSol,
    /// Any other, or the model is not known.
    #[default]
    Other,
}

impl ModelFamily {
    pub(crate) const ALL: [Self; 6] = [
        Self::ClaudeFable,
        Self::ClaudeHaiku,
        Self::ClaudeOpus,
        Self::ClaudeSonnet,
        Self::GptSol,
        Self::Other,
    ];

    /// Its name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ClaudeFable => "claude-fable",
            Self::ClaudeHaiku => "claude-haiku",
            Self::ClaudeOpus => "claude-opus",
            Self::ClaudeSonnet => "claude-sonnet",
            Self::GptSol => "gpt-sol",
            Self::Other => "other",
        }
    }

    /// That of the model with this name: the one whose words are all in it.
    pub(crate) fn of(model: &str) -> Self {
        let has = |word: &str| {
            model
                .split(['-', '.', '_', '/', '@', ':', '['])
                .any(|it| it == word)
        };
        let mut families = Self::ALL.into_iter();
        let of_it = |family: &Self| family.name().split('-').all(has);
        families.find(of_it).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::prices::Prices;

    #[test]
    fn they_are_those_of_the_price_table() {
        let of_table = Prices::built_in().family_names();
        let names = ModelFamily::ALL.map(ModelFamily::name).into_iter();
        let named: BTreeSet<String> = names
            .filter(|name| *name != "other")
            .map(str::to_owned)
            .collect();
        assert_eq!(named, of_table);
    }

    #[test]
    fn a_family_is_known_by_any_name_of_its_models() {
        for (model, family) in [
            ("claude-opus-4-6", ModelFamily::ClaudeOpus),
            ("claude-opus-9[1m]", ModelFamily::ClaudeOpus),
            ("claude-3-5-haiku-20241022", ModelFamily::ClaudeHaiku),
            (
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                ModelFamily::ClaudeSonnet,
            ),
            ("openai/gpt-6.1-sol", ModelFamily::GptSol),
            ("gpt-4o", ModelFamily::Other),
            ("other", ModelFamily::Other),
            ("", ModelFamily::Other),
        ] {
            assert_eq!(ModelFamily::of(model), family, "{model}");
        }
    }
}
