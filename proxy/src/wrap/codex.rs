//! Codex: it takes its address from its settings alone, so it is given a provider in `-c` flags; a provider of the user's own gets another
//! base URL.

use std::collections::BTreeMap;
use std::ffi::OsString;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use url::Url;

use super::Invocation;
use super::environment::{Environment, base};
use super::upstreams::Asked;
use crate::dialect::Provider;
use crate::startup::codex_provider;

/// Codex's own provider.
const BUILT_IN: &str = "openai";
/// The path of the API of a `ChatGPT` login.
const CHATGPT: &str = "/backend-api/codex";

/// The part of its settings that counts here.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Config {
    model_provider: Option<String>,
    /// Where Codex's own provider is.
    pub(crate) openai_base_url: Option<String>,
    #[serde(default)]
    pub(crate) model_providers: BTreeMap<String, ProviderTable>,
}

/// A provider of the user's own.
#[derive(Debug, Deserialize)]
pub(crate) struct ProviderTable {
    pub(crate) base_url: Option<String>,
}

/// How it logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Login {
    /// With a `ChatGPT` account; also where nothing is known of it, so that Codex asks for it.
    ChatGpt,
    /// With a key that Codex keeps.
    KeptKey,
    /// With the key in `OPENAI_API_KEY`.
    Variable,
}

/// The part of its login that counts here.
#[derive(Debug, Deserialize)]
struct LoginFile {
    #[serde(rename = "OPENAI_API_KEY")]
    key: Option<String>,
    tokens: Option<serde::de::IgnoredAny>,
}

/// Where it would ask.
pub(super) fn would_ask(environment: &Environment) -> anyhow::Result<Vec<Asked>> {
    let config = config(environment)?;
    let told = if let Some((name, base)) = own_provider(&config)? {
        Some((base, format!("the provider {name} in Codex's config.toml")))
    } else if let Some(text) = &config.openai_base_url {
        let by = "openai_base_url in Codex's config.toml".to_owned();
        Some((base(&by, text)?, by))
    } else {
        None
    };
    Ok(Asked::of(Provider::OpenAi, told))
}

/// What it is started with.
pub(super) fn invocation(
    args: &[OsString],
    url: &str,
    offers_tool: bool,
    environment: &Environment,
) -> anyhow::Result<Invocation> {
    let config = config(environment)?;
    let mut flags = if let Some((name, own)) = own_provider(&config)? {
        let path = kept_path(&own).unwrap_or_default();
        vec![format!("model_providers.{name}.base_url=\"{url}{path}\"")]
    } else {
        let is_elsewhere = config.openai_base_url.is_some();
        let provider = provider(url, login(environment), is_elsewhere);
        vec!["model_provider=\"headroom\"".to_owned(), provider]
    };
    if offers_tool {
        flags.push(format!(
            r#"mcp_servers.headroom={{url="{url}/mcp",omit_tools_from=["deferred","code_mode"]}}"#
        ));
    }
    let flags = flags
        .into_iter()
        .flat_map(|flag| ["-c".into(), OsString::from(flag)]);
    let words = std::iter::once("codex".into())
        .chain(flags)
        .chain(args.iter().cloned());
    Ok(Invocation {
        words: words.collect(),
        env: Vec::new(),
    })
}

/// Our provider, for a login of this kind.
fn provider(url: &str, login: Login, is_elsewhere: bool) -> String {
    let path = match login {
        Login::ChatGpt if !is_elsewhere => CHATGPT,
        _ => "/v1",
    };
    let key = match login {
        Login::Variable => r#"env_key="OPENAI_API_KEY""#,
        Login::ChatGpt | Login::KeptKey => "requires_openai_auth=true",
    };
    codex_provider(&format!("{url}{path}"), key)
}

/// Its settings.
pub(crate) fn config(environment: &Environment) -> anyhow::Result<Config> {
    let Some(file) = &environment.codex_config else {
        return Ok(Config::default());
    };
    // What the parser says quotes the file, which may hold a key.
    let read = toml::from_str(&file.text).map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        let before = file.text.get(..at).unwrap_or_default();
        before.lines().count().max(1)
    });
    read.map_err(|line| anyhow::anyhow!("line {line} can't be read"))
        .with_context(|| file.path.display().to_string())
}

/// The provider of the user's own that it asks, and its base URL.
fn own_provider(config: &Config) -> anyhow::Result<Option<(&str, Url)>> {
    let named = config.model_provider.as_deref();
    let Some(name) = named.filter(|name| *name != BUILT_IN) else {
        return Ok(None);
    };
    let table = config.model_providers.get(name);
    let Some(text) = table.and_then(|table| table.base_url.as_deref()) else {
        bail!(
            "Codex is set to the provider {name:?}, of which no base_url is in its config.toml: with -c model_provider=openai this proxy's is taken"
        );
    };
    let base = base(&format!("base_url of the provider {name}"), text)?;
    if kept_path(&base).is_some() {
        return Ok(Some((name, base)));
    }
    bail!(
        "the base URL of Codex's provider {name:?} ends in neither /v1 nor /openai, so wrap can't put the proxy before it: give it that of a proxy \
         by hand (docs/clients.md)"
    )
}

/// The end of a base URL's path with which the proxy finds the way that the whole of it leads.
fn kept_path(base: &Url) -> Option<&'static str> {
    let path = base.path().trim_end_matches('/');
    let known = ["/v1", "/openai", CHATGPT];
    known.into_iter().find(|known| path.ends_with(known))
}

/// How it logs in.
fn login(environment: &Environment) -> Login {
    let file = environment.codex_login.as_ref();
    let file: Option<LoginFile> = file.and_then(|file| serde_json::from_str(&file.text).ok());
    match file {
        Some(LoginFile {
            tokens: Some(_), ..
        }) => Login::ChatGpt,
        Some(LoginFile { key: Some(_), .. }) => Login::KeptKey,
        _ if environment.variable("OPENAI_API_KEY").is_some() => Login::Variable,
        _ => Login::ChatGpt,
    }
}

#[cfg(test)]
mod tests {
    use super::super::environment::ReadFile;
    use super::*;

    const URL: &str = "http://127.0.0.1:9";

    fn with(config: &str, login: &str, variables: &[(&str, &str)]) -> Environment {
        let file = |name, text: &str| {
            let file = ReadFile::at(name, text);
            file.filter(|file| !file.text.is_empty())
        };
        Environment {
            codex_config: file("config.toml", config),
            codex_login: file("auth.json", login),
            ..Environment::of(variables)
        }
    }

    fn flags(environment: &Environment, offers_tool: bool) -> String {
        let args = [OsString::from("exec")];
        let given = invocation(&args, URL, offers_tool, environment).unwrap();
        let words = given.words.iter().map(|word| word.to_string_lossy());
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn it_is_given_a_provider_for_its_login() {
        let key = [("OPENAI_API_KEY", "sk-1")];
        for (login, variables, base, auth) in [
            ("", &key[..], "/v1", "env_key=\"OPENAI_API_KEY\""),
            ("", &[], "/backend-api/codex", "requires_openai_auth=true"),
            (
                r#"{"OPENAI_API_KEY":"sk-2"}"#,
                &key,
                "/v1",
                "requires_openai_auth=true",
            ),
            (
                r#"{"OPENAI_API_KEY":null,"tokens":{"id_token":"x"}}"#,
                &key,
                "/backend-api/codex",
                "requires_openai_auth=true",
            ),
        ] {
            let said = flags(&with("", login, variables), false);
            let expected = format!(
                "codex -c model_provider=\"headroom\" -c model_providers.headroom={{name=\"Headroom\",base_url=\"{URL}{base}\",{auth},wire_api=\"responses\",supports_websockets=false}} exec"
            );
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn it_is_given_the_tool_so_that_it_is_not_deferred() {
        let said = flags(&with("", "", &[]), true);
        let tool = r#"-c mcp_servers.headroom={url="http://127.0.0.1:9/mcp",omit_tools_from=["deferred","code_mode"]} exec"#;
        assert!(said.ends_with(tool), "{said}");
    }

    #[test]
    fn a_provider_of_the_user_s_own_keeps_all_but_its_address() {
        for (base, path) in [
            ("https://gateway.example/x/v1", "/v1"),
            ("https://r.openai.azure.com/openai", "/openai"),
        ] {
            let config = format!(
                "model_provider = \"mine\"\n[model_providers.mine]\nbase_url = \"{base}\"\nenv_key = \"K\""
            );
            let environment = with(&config, "", &[]);
            let said = flags(&environment, false);
            assert_eq!(
                said,
                format!("codex -c model_providers.mine.base_url=\"{URL}{path}\" exec")
            );
            let asked = would_ask(&environment).unwrap();
            assert_eq!(asked[0].base.as_str(), base);
        }
        for config in [
            "model_provider = \"mine\"",
            "model_provider = \"mine\"\n[model_providers.mine]\nbase_url = \"https://gateway.example/x\"",
            "model_provider = ",
        ] {
            assert!(would_ask(&with(config, "", &[])).is_err(), "{config}");
        }
    }

    #[test]
    fn its_own_provider_may_be_elsewhere() {
        let environment = with(
            "openai_base_url = \"https://gw.example/v1\"",
            r#"{"tokens":{}}"#,
            &[],
        );
        assert_eq!(
            would_ask(&environment).unwrap()[0].base.as_str(),
            "https://gw.example/v1"
        );
        assert!(
            flags(&environment, false)
                .contains(&format!("base_url=\"{URL}/v1\",requires_openai_auth=true"))
        );
    }

    #[test]
    fn what_can_t_be_read_is_not_shown() {
        let error = would_ask(&with("a = 1\nkey = \"hunter2", "", &[])).unwrap_err();
        let said = format!("{error:#}");
        assert!(
            said.contains("line 2") && !said.contains("hunter2"),
            "{said}"
        );
    }
}
