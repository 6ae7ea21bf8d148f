//! Whether a proxy sends where a client would ask without us.

use anyhow::bail;
use url::Url;

use super::environment::Environment;
use crate::dialect::Provider;
use crate::running::{About, shown};
use crate::settings::Upstreams;

/// Where a client would send requests of a provider, because it was told so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) provider: Provider,
    pub(crate) base: Url,
    /// Where it was told so, such as `ANTHROPIC_BASE_URL`.
    pub(crate) by: String,
}

impl Asked {
    /// That of one provider, where a client was told a base URL, and where.
    pub(super) fn of(provider: Provider, told: Option<(Url, String)>) -> Vec<Self> {
        let told = told.into_iter();
        told.map(|(base, by)| Self { provider, base, by }).collect()
    }
}

/// The variable that tells a proxy where a provider's requests go.
pub(super) const fn target_variable(provider: Provider) -> &'static str {
    match provider {
        Provider::Anthropic => "ANTHROPIC_TARGET_API_URL",
        Provider::OpenAi => "OPENAI_TARGET_API_URL",
    }
}

/// Where our own variables say that requests of these providers go, as far as they are set.
pub(super) fn targets(
    providers: &[Provider],
    settings: &Upstreams,
    environment: &Environment,
) -> Vec<Asked> {
    let target = |provider: &Provider| {
        let variable = target_variable(*provider);
        environment.variable(variable)?;
        let base = match provider {
            Provider::Anthropic => &settings.anthropic,
            Provider::OpenAi => &settings.openai,
        };
        Some(Asked {
            provider: *provider,
            base: base.clone(),
            by: variable.to_owned(),
        })
    };
    providers.iter().filter_map(target).collect()
}

/// Checks that the proxy at `url` sends where the client would ask.
///
/// # Errors
/// Which of it goes elsewhere, and what to do.
pub(super) fn check<'a>(
    url: &Url,
    proxy: &About,
    asked: impl IntoIterator<Item = &'a Asked>,
) -> anyhow::Result<()> {
    for Asked { provider, base, by } in asked {
        let sends_to = match provider {
            Provider::Anthropic => &proxy.anthropic,
            Provider::OpenAi => &proxy.openai,
        };
        if !is_same(base, sends_to) {
            bail!(
                "the proxy that runs at {} sends to {}, and {by} says {}: stop that proxy, or start it with {}={}, or let {by} be unset",
                shown(url),
                shown(sends_to),
                shown(base),
                target_variable(*provider),
                shown(base),
            );
        }
    }
    Ok(())
}

/// Whether requests to both go to the same place: clients word a base with or without `/v1`.
fn is_same(a: &Url, b: &Url) -> bool {
    let unversioned = |url: &Url| {
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path).to_owned();
        (url.origin(), path)
    };
    unversioned(a) == unversioned(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_sends_elsewhere_is_told() {
        let proxy = About {
            version: "1".to_owned(),
            tier: "lossless".to_owned(),
            under_way: 0,
            anthropic: "https://api.anthropic.com".parse().unwrap(),
            openai: "https://gateway.example/x".parse().unwrap(),
        };
        let url = "http://127.0.0.1:8787".parse().unwrap();
        for (provider, base, sends_there) in [
            (Provider::Anthropic, "https://api.anthropic.com/", true),
            (Provider::Anthropic, "https://gateway.example", false),
            (Provider::Anthropic, "http://api.anthropic.com", false),
            (Provider::OpenAi, "https://gateway.example/x/v1/", true),
            (Provider::OpenAi, "https://gateway.example/y", false),
        ] {
            let asked = Asked {
                provider,
                base: base.parse().unwrap(),
                by: "THE_VARIABLE".to_owned(),
            };
            let checked = check(&url, &proxy, [&asked]);
            assert_eq!(checked.is_ok(), sends_there, "{base}");
            if let Err(error) = checked {
                let said = error.to_string();
                let says = format!(
                    "THE_VARIABLE says {}: stop that proxy, or start it with {}=",
                    base.trim_end_matches('/'),
                    target_variable(provider)
                );
                assert!(said.contains(&says), "{said}");
            }
        }
    }
}
