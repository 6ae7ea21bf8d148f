//! Reads tables of prices: our own layout in TOML, and `LiteLLM`'s in JSON.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Rates;

/// The prices of models by their names.
pub(super) type Rows = BTreeMap<String, Rates>;

/// A row of our own layout: dollars for a million tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    input: f64,
    write: Option<f64>,
    write_hour: Option<f64>,
    read: Option<f64>,
    output: f64,
}

/// An entry of `LiteLLM`'s `model_prices_and_context_window.json`, as far as it is read: dollars for a token.
#[derive(Deserialize)]
struct LiteLlmEntry {
    input_cost_per_token: Option<f64>,
    output_cost_per_token: Option<f64>,
    cache_creation_input_token_cost: Option<f64>,
    cache_creation_input_token_cost_above_1hr: Option<f64>,
    cache_read_input_token_cost: Option<f64>,
}

/// The entry of `LiteLLM`'s file that explains the others.
const LITELLM_SAMPLE: &str = "sample_spec";

/// Reads the table in this file, whose layout its extension tells.
///
/// # Errors
/// When it can't be read, has another extension than `toml` and `json`, or has a row that can't be taken. They name the file and the row.
pub(super) fn read(path: &Path) -> anyhow::Result<Rows> {
    let name = path.display();
    let parse = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => read_toml,
        Some("json") => read_litellm,
        _ => bail!("the prices' file {name} must end in .toml or .json (LiteLLM's layout)"),
    };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("can't read the prices' file {name}"))?;
    parse(&text).with_context(|| format!("can't take the prices in {name}"))
}

/// Reads a table of our own layout.
///
/// # Errors
/// When a row can't be taken.
pub(super) fn read_toml(text: &str) -> anyhow::Result<Rows> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line(text, span.start));
        anyhow::anyhow!("line {line} is not TOML: {}", error.message())
    })?;
    let row = |(model, value): (String, toml::Value)| {
        let row = Row::deserialize(value).map_err(|error| {
            let why = error.message();
            anyhow::anyhow!(
                "the row of {model:?}: {why}; a row is {{ input = 3, write = 3.75, write_hour = 6, read = 0.3, output = 15 }}"
            )
        })?;
        let write = row.write.unwrap_or(row.input);
        let rates = Rates {
            input: row.input,
            write,
            write_hour: row.write_hour.unwrap_or(write),
            read: row.read.unwrap_or(row.input),
            output: row.output,
        };
        Ok((checked(&model, rates)?, model))
    };
    let rows = table.into_iter().map(row);
    rows.map(|row| row.map(|(rates, model)| (model, rates)))
        .collect()
}

/// Reads `LiteLLM`'s table. Entries without a price of input, such as those of images, are passed over.
///
/// # Errors
/// When it is no JSON object, or an entry has a price that can't be taken.
pub(super) fn read_litellm(text: &str) -> anyhow::Result<Rows> {
    let entries: BTreeMap<String, &RawValue> = serde_json::from_str(text).context(
        "it is not a JSON object of models, such as LiteLLM's model_prices_and_context_window.json",
    )?;
    let mut rows = Rows::new();
    for (model, entry) in entries {
        if model == LITELLM_SAMPLE {
            continue;
        }
        let entry: LiteLlmEntry = serde_json::from_str(entry.get()).with_context(|| {
            format!("the entry of {model:?}: a price is a number of dollars for a token")
        })?;
        let Some(input) = entry.input_cost_per_token else {
            continue;
        };
        let write = entry.cache_creation_input_token_cost.unwrap_or(input);
        let hour = entry.cache_creation_input_token_cost_above_1hr;
        let rates = Rates {
            input: input * 1e6,
            write: write * 1e6,
            write_hour: hour.unwrap_or(write) * 1e6,
            read: entry.cache_read_input_token_cost.unwrap_or(input) * 1e6,
            output: entry.output_cost_per_token.unwrap_or(0.0) * 1e6,
        };
        let rates = checked(&model, rates)?;
        rows.insert(model, rates);
    }
    ensure!(!rows.is_empty(), "no entry has an input_cost_per_token");
    Ok(rows)
}

/// The rates, if each of them can be one.
fn checked(model: &str, rates: Rates) -> anyhow::Result<Rates> {
    for (name, rate) in [
        ("input", rates.input),
        ("write", rates.write),
        ("write_hour", rates.write_hour),
        ("read", rates.read),
        ("output", rates.output),
    ] {
        ensure!(
            rate.is_finite() && rate >= 0.0,
            "the row of {model:?}: {name} is {rate}; a price is a number of dollars, 0 or more"
        );
    }
    Ok(rates)
}

/// The number of the line at this position.
fn line(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    before.matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(read: anyhow::Result<Rows>) -> String {
        format!("{:#}", read.unwrap_err())
    }

    #[test]
    fn a_row_says_only_what_differs() {
        let rows = read_toml(
            "a = { input = 2, output = 8.5 }\n\"b.c\" = { input = 1, write = 3, read = 0, output = 0 }",
        );
        let rows = rows.unwrap();
        let rates = |input, write, write_hour, read, output| Rates {
            input,
            write,
            write_hour,
            read,
            output,
        };
        assert_eq!(rows["a"], rates(2.0, 2.0, 2.0, 2.0, 8.5));
        assert_eq!(rows["b.c"], rates(1.0, 3.0, 3.0, 0.0, 0.0));
    }

    #[test]
    fn a_bad_row_is_named() {
        for (text, says) in [
            (
                "a = { input = -1, output = 1 }",
                "the row of \"a\": input is -1;",
            ),
            (
                "a = { input = 1, read = nan, output = 1 }",
                "the row of \"a\": read is NaN;",
            ),
            (
                "a = { input = 1, output = inf }",
                "the row of \"a\": output is inf;",
            ),
            (
                "a = { input = 1 }",
                "the row of \"a\": missing field `output`;",
            ),
            (
                "a = { input = 1, output = 1, writes = 2 }",
                "the row of \"a\": unknown field `writes`",
            ),
            (
                "a = { input = \"1\", output = 1 }",
                "the row of \"a\": invalid type",
            ),
            ("a = 1", "the row of \"a\": invalid type"),
            ("\na = { input = ", "line 2 is not TOML: "),
        ] {
            let error = error(read_toml(text));
            assert!(error.starts_with(says), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        for (text, says) in [
            (
                r#"{"a":{"input_cost_per_token":-1e-6}}"#,
                "the row of \"a\": input is -1;",
            ),
            (
                r#"{"a":{"input_cost_per_token":1e999}}"#,
                "the entry of \"a\": a price is",
            ),
            (
                r#"{"a":{"input_cost_per_token":"1"}}"#,
                "the entry of \"a\": a price is",
            ),
            (
                r#"{"a":{"input_cost_per_token":1e305}}"#,
                "the row of \"a\": input is inf;",
            ),
            (
                r#"{"a":{"mode":"image_generation"}}"#,
                "no entry has an input_cost_per_token",
            ),
            ("[1]", "it is not a JSON object of models"),
            ("", "it is not a JSON object of models"),
        ] {
            let error = error(read_litellm(text));
            assert!(error.starts_with(says), "{error}");
        }
    }

    #[test]
    fn litellm_s_file_is_read_as_it_is() {
        let text = r#"{
            "sample_spec": {"input_cost_per_token": "dollars", "mode": "one of …"},
            "dall-e-3": {"input_cost_per_pixel": 4e-8, "mode": "image_generation"},
            "claude-x-1": {
                "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06,
                "cache_read_input_token_cost": 3e-07, "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
                "litellm_provider": "anthropic", "search_context_cost_per_query": {"search_context_size_low": 0.01},
                "supports_vision": true
            },
            "gpt-x": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "cache_read_input_token_cost": 1e-07},
            "embed": {"input_cost_per_token": 1e-06}
        }"#;
        let rows = read_litellm(text).unwrap();
        let all = |model: &str| {
            let Rates {
                input,
                write,
                write_hour,
                read,
                output,
            } = rows[model];
            [input, write, write_hour, read, output].map(|rate| (rate * 1e6).round() / 1e6)
        };
        assert_eq!(rows.len(), 3);
        assert_eq!(all("claude-x-1"), [3.0, 3.75, 6.0, 0.3, 15.0]);
        assert_eq!(all("gpt-x"), [1.0, 1.0, 1.0, 0.1, 2.0]);
        assert_eq!(all("embed"), [1.0, 1.0, 1.0, 1.0, 0.0]);
    }
}
