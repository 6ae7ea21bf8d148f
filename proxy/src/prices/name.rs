//! How names of models look, as far as their prices depend on it: the same model has several names, and newer ones follow older ones.

/// A model's version, such as 4 and 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u64, u64);

/// The first version of GPT whose cache writes cost more than fresh input (`docs/providers.md`).
const FIRST_PAID_WRITES: Version = Version(5, 6);

/// How names of OpenAI's models begin.
const OPENAI: [&str; 4] = ["gpt-", "chatgpt-", "codex-", "computer-use-"];

/// The name alone: without a cloud's or gateway's prefix (`us.anthropic.`, `openai/`), a date, and suffixes such as `[1m]`, `@20251001`,
/// `-v1:0` and `-latest`.
pub(super) fn bare(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    let mut name = name.split(['[', '@', ':']).next().unwrap_or(name);
    while let Some((first, rest)) = name.split_once('.')
        && !first.contains(|letter: char| letter.is_ascii_digit())
    {
        name = rest;
    }
    let name = without_revision(name);
    without_date(name.strip_suffix("-latest").unwrap_or(name))
}

/// The family of the model with this bare name and its version, such as `claude-opus` and 4.6 of `claude-opus-4-6`, `claude-haiku` and 3.5
/// of `claude-3-5-haiku`, `gpt-sol` and 6.1 of `gpt-6.1-sol`; `None` for a name without a version.
pub(super) fn family(bare: &str) -> Option<(String, Version)> {
    let (mut words, mut numbers) = (Vec::new(), Vec::new());
    let is_digit = |letter: char| letter.is_ascii_digit();
    for word in bare.split(['-', '.', '_']).filter(|word| !word.is_empty()) {
        let digits = word.find(is_digit).unwrap_or(word.len());
        let (before, rest) = word.split_at(digits);
        let end = rest.find(|letter| !is_digit(letter));
        let (number, behind) = rest.split_at(end.unwrap_or(rest.len()));
        match number.parse::<u64>() {
            Ok(number) if numbers.len() < 2 => {
                numbers.push(number);
                words.extend([before, behind].into_iter().filter(|it| !it.is_empty()));
            }
            _ => words.push(word),
        }
    }
    let mut numbers = numbers.into_iter();
    let version = Version(numbers.next()?, numbers.next().unwrap_or(0));
    Some((words.join("-"), version))
}

/// Whether this is the bare name of a model of OpenAI's.
pub(super) fn is_openai(bare: &str) -> bool {
    is_reasoning_series(bare) || OPENAI.iter().any(|prefix| bare.starts_with(prefix))
}

/// Whether this is the bare name of a model of OpenAI's whose cache writes cost what fresh input does.
pub(super) fn writes_are_free(bare: &str) -> bool {
    let is_early = || family(bare).is_some_and(|(_, version)| version < FIRST_PAID_WRITES);
    is_reasoning_series(bare) || (is_openai(bare) && is_early())
}

/// Whether this is the name of one of `o1` to `o4`, which are older than GPT-5.
fn is_reasoning_series(bare: &str) -> bool {
    let number = bare.strip_prefix('o').and_then(|rest| rest.chars().next());
    number.is_some_and(|number| number.is_ascii_digit())
}

/// A name without the revision that Bedrock puts behind it, such as `-v1`.
fn without_revision(name: &str) -> &str {
    match name.rsplit_once("-v") {
        Some((rest, revision)) if is_number(revision) => rest,
        _ => name,
    }
}

/// A name without the date behind it: `-20251101`, `-2024-08-06` or `-0613`.
fn without_date(name: &str) -> &str {
    let cut = |name: &'_ str, digits: usize| {
        let (rest, last) = name.rsplit_once('-')?;
        (last.len() == digits && is_number(last)).then_some(rest.len())
    };
    let whole = cut(name, 8).or_else(|| cut(name, 4));
    let apart = || {
        let month = cut(name, 2)?;
        let year = cut(&name[..month], 2)?;
        cut(&name[..year], 4)
    };
    whole.or_else(apart).map_or(name, |end| &name[..end])
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_has_no_cloud_no_date_and_no_suffix() {
        for (name, is) in [
            ("claude-opus-4-6", "claude-opus-4-6"),
            ("claude-opus-4-6[1m]", "claude-opus-4-6"),
            ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
            (
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "claude-sonnet-4-5",
            ),
            ("anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
            ("claude-3-5-haiku-20241022", "claude-3-5-haiku"),
            ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
            ("openai/gpt-6.1-sol", "gpt-6.1-sol"),
            ("azure/eu/gpt-4o-2024-08-06", "gpt-4o"),
            ("gpt-4-0613", "gpt-4"),
            ("-", "-"),
            ("", ""),
            ("é.ü-2024-01-01", "ü"),
        ] {
            assert_eq!(bare(name), is, "{name}");
        }
    }

    #[test]
    fn a_family_has_versions() {
        for (name, is) in [
            ("claude-opus-4-6", Some(("claude-opus", Version(4, 6)))),
            ("claude-opus-5", Some(("claude-opus", Version(5, 0)))),
            ("claude-opus-4.6", Some(("claude-opus", Version(4, 6)))),
            ("claude-3-5-haiku", Some(("claude-haiku", Version(3, 5)))),
            ("gpt-6.1-sol", Some(("gpt-sol", Version(6, 1)))),
            ("gpt-4o-mini", Some(("gpt-o-mini", Version(4, 0)))),
            ("o3", Some(("o", Version(3, 0)))),
            ("llama-3.1-70b", Some(("llama-70b", Version(3, 1)))),
            ("mistral", None),
            ("", None),
            ("x-99999999999999999999999", None),
        ] {
            let family = family(name);
            let family = family
                .as_ref()
                .map(|(family, version)| (family.as_str(), *version));
            assert_eq!(family, is, "{name}");
        }
    }

    #[test]
    fn openai_s_writes_are_free_before_gpt_5_6() {
        for name in ["gpt-4o", "gpt-5.5", "gpt-5-codex", "o3", "gpt-4.1-mini"] {
            assert!(is_openai(name) && writes_are_free(name), "{name}");
        }
        for name in ["gpt-5.6", "gpt-6.1-sol", "gpt-10", "gpt-next"] {
            assert!(is_openai(name) && !writes_are_free(name), "{name}");
        }
        for name in ["claude-opus-4-6", "gemini-2.5-pro", "opus", "o", ""] {
            assert!(!is_openai(name) && !writes_are_free(name), "{name}");
        }
    }
}
