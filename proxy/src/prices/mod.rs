//! What tokens cost: one table (`prices.toml`), which a file of the user's may override.

mod file;
mod name;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use headroom_shared::contract::usage::Usage;

use self::name::Version;

/// What a million tokens cost, in dollars.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
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

/// The table of what models cost.
#[derive(Debug, Clone)]
pub struct Prices {
    rows: file::Rows,
    /// The rows by their bare names.
    bare: HashMap<String, Rates>,
    /// The bare names of rows by their families, each with its versions.
    families: HashMap<String, BTreeMap<Version, String>>,
}

/// What a model costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Its rates.
    pub rates: Rates,
    /// Whether the model is not in the table, so that these are the rates of another one.
    pub is_guess: bool,
}

/// The row of OpenAI's models whose family is not known.
const OTHER_OPENAI: &str = "gpt-6.1-sol";
/// The row of all other models that are not known: the middle of the table, with the ratios of most models.
const OTHER: &str = "claude-sonnet-5";
/// The name under which models are counted whose family is not known.
const OTHER_LABEL: &str = "other";

impl Prices {
    /// The table that comes with the program.
    #[must_use]
    pub fn built_in() -> Self {
        // That it can be read is tested.
        Self::of_rows(file::read_toml(include_str!("prices.toml")).unwrap_or_default())
    }

    /// The same with the rows of a file in place of its own, or besides them: a `.toml` file with the layout of `prices.toml`, or a `.json`
    /// file with that of `LiteLLM`'s `model_prices_and_context_window.json`.
    ///
    /// # Errors
    /// When the file can't be read or a row can't be taken; they name both.
    pub fn with_file(path: &Path) -> anyhow::Result<Self> {
        let mut rows = Self::built_in().rows;
        rows.extend(file::read(path)?);
        Ok(Self::of_rows(rows))
    }

    /// The families of the models in it.
    #[cfg(test)]
    pub(crate) fn family_names(&self) -> std::collections::BTreeSet<String> {
        self.families.keys().cloned().collect()
    }

    /// A table with one price for these models.
    #[cfg(test)]
    pub(crate) fn same_for_all<'m>(
        models: impl IntoIterator<Item = &'m str>,
        rates: Rates,
    ) -> Self {
        let row = |model: &str| (model.to_owned(), rates);
        Self::of_rows(models.into_iter().map(row).collect())
    }

    fn of_rows(rows: file::Rows) -> Self {
        let (mut bare, mut families) = (HashMap::new(), HashMap::<_, BTreeMap<_, String>>::new());
        // The shortest of several names is the provider's own: clouds and gateways, which may take other prices, put theirs before it.
        let mut shortest_first: Vec<_> = rows.iter().collect();
        shortest_first.sort_by_key(|(model, _)| model.len());
        for (model, rates) in shortest_first {
            let name = name::bare(model);
            bare.entry(name.to_owned()).or_insert(*rates);
            if let Some((family, version)) = name::family(name) {
                let versions = families.entry(family).or_default();
                versions.entry(version).or_insert_with(|| name.to_owned());
            }
        }
        Self {
            rows,
            bare,
            families,
        }
    }

    /// What the model of this name costs. It is found by its name, by its bare name ([`name::bare`]), or as the newest version of its
    /// family that is not newer, else the oldest. For other models there are one row of OpenAI's and one for all.
    #[must_use]
    pub fn of(&self, model: &str) -> Price {
        self.labelled(model).1
    }

    /// The same with a name to count the model under: its row's, its family's, or `other`. So there are few names, whatever requests say.
    pub(crate) fn labelled(&self, model: &str) -> (String, Price) {
        let bare = name::bare(model);
        let known = |rates| Price {
            rates,
            is_guess: false,
        };
        if let Some(rates) = self.rows.get(model).or_else(|| self.bare.get(bare)) {
            return (bare.to_owned(), known(*rates));
        }
        let (mut label, mut relative) = (OTHER_LABEL.to_owned(), None);
        if let Some((family, version)) = name::family(bare)
            && let Some(versions) = self.families.get(&family)
        {
            let not_newer = versions.range(..=version).next_back();
            relative = not_newer.or_else(|| versions.first_key_value());
            if let Some(name) = versions.get(&version)
                && let Some(rates) = self.bare.get(name)
            {
                return (name.clone(), known(*rates));
            }
            label = family;
        }
        let other = if name::is_openai(bare) {
            OTHER_OPENAI
        } else {
            OTHER
        };
        let rates = relative.and_then(|(_, name)| self.bare.get(name));
        let rates = rates.or_else(|| self.rows.get(other));
        let mut rates = rates.copied().unwrap_or_default();
        if name::writes_are_free(bare) {
            (rates.write, rates.write_hour) = (rates.input, rates.input);
        }
        let is_guess = true;
        (label, Price { rates, is_guess })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Input and output rates of a model, and whether they are guessed.
    fn of(prices: &Prices, model: &str) -> (f64, f64, bool) {
        let Price { rates, is_guess } = prices.of(model);
        (rates.input, rates.output, is_guess)
    }

    #[test]
    fn the_table_has_the_rows_of_the_documentation() {
        let prices = Prices::built_in();
        assert_eq!(prices.rows.len(), 13);
        let rows = include_str!("../../../docs/providers.md");
        for (row, model) in [
            ("Claude Opus 5.5", "claude-opus-5-5"),
            ("Claude Fable 5.1", "claude-fable-5-1"),
            ("Claude Opus 5, 4.8, 4.7, 4.6, 4.5", "claude-opus-4-6"),
            ("Claude Sonnet 5.5", "claude-sonnet-5-5"),
            ("Claude Sonnet 5", "claude-sonnet-5"),
            ("Claude Sonnet 4.6, 4.5", "claude-sonnet-4-5"),
            ("Claude Haiku 4.5", "claude-haiku-4-5"),
            ("GPT-6.1 Sol", "gpt-6.1-sol"),
        ] {
            let start = format!("| {row} |");
            let line = rows.lines().find(|line| line.starts_with(&start)).unwrap();
            let cells = line.trim_end_matches('|').split('|').skip(2);
            let said: Vec<f64> = cells.map(|it| it.trim().parse().unwrap_or(2.5)).collect();
            let Rates {
                input,
                write,
                write_hour,
                read,
                output,
            } = prices.of(model).rates;
            assert_eq!(said, [input, write, write_hour, read, output], "{model}");
        }
    }

    #[test]
    fn a_model_is_found_by_any_of_its_names() {
        let prices = Prices::built_in();
        for name in [
            "claude-opus-4-6",
            "claude-opus-4-6[1m]",
            "us.anthropic.claude-opus-4-6-20260201-v1:0",
            "anthropic/claude-opus-4.6",
        ] {
            assert_eq!(of(&prices, name), (5.0, 25.0, false), "{name}");
        }
        assert_eq!(of(&prices, "openai/gpt-6.1-sol"), (2.0, 10.0, false));
        assert_eq!(prices.labelled("claude-opus-4.6").0, "claude-opus-4-6");
    }

    #[test]
    fn a_model_that_is_not_in_the_table_costs_what_its_nearest_relative_does() {
        let prices = Prices::built_in();
        for (name, input, label) in [
            ("claude-opus-5-6", 4.0, "claude-opus"),
            ("claude-opus-4-1-20250805", 5.0, "claude-opus"),
            ("claude-sonnet-5-2", 2.0, "claude-sonnet"),
            ("claude-3-5-haiku-20241022", 1.0, "claude-haiku"),
            ("gpt-7-sol", 2.0, "gpt-sol"),
            ("gpt-5.7", 2.0, "other"),
            ("gemini-3", 2.0, "other"),
            ("", 2.0, "other"),
        ] {
            let price = prices.of(name);
            assert_eq!((price.rates.input, price.is_guess), (input, true), "{name}");
            assert_eq!(prices.labelled(name).0, label);
        }
        let older = prices.of("gpt-5-codex").rates;
        assert_eq!((older.write, older.write_hour), (2.0, 2.0));
        assert_eq!(prices.of("gpt-5.7").rates.write, 2.5);
    }

    #[test]
    fn a_file_overrides_rows_and_adds_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        let rows = "claude-opus-4-6 = { input = 1, output = 2 }\nmine = { input = 3, output = 4 }";
        std::fs::write(&path, rows).unwrap();
        let prices = Prices::with_file(&path).unwrap();
        assert_eq!(of(&prices, "claude-opus-4-6[1m]"), (1.0, 2.0, false));
        assert_eq!(of(&prices, "mine"), (3.0, 4.0, false));
        assert_eq!(of(&prices, "claude-haiku-4-5"), (1.0, 5.0, false));

        let path = folder.path().join("litellm.json");
        let rows = r#"{"azure/eu/gpt-5":{"input_cost_per_token":9e-6},"gpt-5-2025-08-07":{"input_cost_per_token":1e-6}}"#;
        std::fs::write(&path, rows).unwrap();
        let prices = Prices::with_file(&path).unwrap();
        assert_eq!(of(&prices, "azure/eu/gpt-5").0, 9.0);
        assert_eq!(prices.labelled("azure/eu/gpt-5").0, "gpt-5");
    }

    #[test]
    fn a_file_that_can_t_be_taken_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text, says) in [
            (
                "a.toml",
                "x = { input = -1, output = 1 }",
                "can't take the prices in",
            ),
            ("a.yaml", "", "must end in .toml or .json"),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", Prices::with_file(&path).unwrap_err());
            assert!(error.contains(says), "{error}");
            assert!(error.contains(path.to_str().unwrap()), "{error}");
        }
        let missing = Prices::with_file(&folder.path().join("none.json")).unwrap_err();
        assert!(format!("{missing:#}").starts_with("can't read the prices' file"));
    }
}
