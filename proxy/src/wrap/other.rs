//! Any other command: it is given the variables that the providers' official SDKs read.

use std::ffi::OsString;

use super::Invocation;
use super::environment::Environment;
use super::upstreams::Asked;
use crate::dialect::Provider;

/// The variable from which Anthropic's clients read their base URL.
pub(super) const ANTHROPIC: &str = "ANTHROPIC_BASE_URL";
/// The same for `OpenAI`'s; theirs ends in `/v1`.
const OPENAI: &str = "OPENAI_BASE_URL";

/// Where it would ask.
pub(super) fn would_ask(environment: &Environment) -> anyhow::Result<Vec<Asked>> {
    let mut asked = Vec::new();
    for (provider, by) in [(Provider::Anthropic, ANTHROPIC), (Provider::OpenAi, OPENAI)] {
        if let Some(base) = environment.base(by)? {
            asked.push(Asked {
                provider,
                base,
                by: by.to_owned(),
            });
        }
    }
    Ok(asked)
}

/// What it is started with.
pub(super) fn invocation(words: &[OsString], url: &str) -> Invocation {
    Invocation {
        words: words.to_vec(),
        env: vec![(ANTHROPIC, url.to_owned()), (OPENAI, format!("{url}/v1"))],
    }
}
