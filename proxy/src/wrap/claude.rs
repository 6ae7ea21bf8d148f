//! Claude Code: it reads its base URL from a variable, which its settings may override.

use std::ffi::OsString;

use anyhow::bail;
use serde::Deserialize;
use serde_json::json;

use super::Invocation;
use super::environment::{Environment, base};
use super::other::ANTHROPIC;
use super::upstreams::Asked;
use crate::dialect::Provider;

/// Keeps the definitions of tools that are not used out of its requests.
const TOOL_SEARCH: &str = "ENABLE_TOOL_SEARCH";
/// Variables by which it asks a cloud's API in place of its base URL.
const CLOUDS: [&str; 3] = [
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
];

/// The part of its settings that counts here.
#[derive(Debug, Default, Deserialize)]
struct Settings {
    #[serde(default)]
    env: Variables,
}

#[derive(Debug, Default, Deserialize)]
struct Variables {
    #[serde(rename = "ANTHROPIC_BASE_URL")]
    base_url: Option<String>,
}

/// Where it would ask.
///
/// # Errors
/// When what it was told is no base URL, or the user's own `--settings` leave no room for ours.
pub(super) fn would_ask(
    args: &[OsString],
    environment: &Environment,
) -> anyhow::Result<Vec<Asked>> {
    let told = if let Some((text, by)) = base_in_settings(environment) {
        if has_settings(args) {
            bail!(
                "{by} has precedence over what wrap sets, and there are --settings already: remove it there, or set ANTHROPIC_BASE_URL in these"
            );
        }
        Some((base(&by, &text)?, by))
    } else {
        let base = environment.base(ANTHROPIC)?;
        base.map(|base| (base, ANTHROPIC.to_owned()))
    };
    Ok(Asked::of(Provider::Anthropic, told))
}

/// What it is started with. Options with a list of values take each word that follows, so that our own are joined to theirs by `=`.
pub(super) fn invocation(
    args: &[OsString],
    url: &str,
    offers_tool: bool,
    environment: &Environment,
) -> Invocation {
    let mut words = vec![OsString::from("claude")];
    if base_in_settings(environment).is_some() {
        let settings = json!({"env": {ANTHROPIC: url}});
        words.push(format!("--settings={settings}").into());
    }
    if offers_tool {
        let servers =
            json!({"mcpServers": {"headroom": {"type": "http", "url": format!("{url}/mcp")}}});
        words.push(format!("--mcp-config={servers}").into());
    }
    words.extend_from_slice(args);
    let mut env = vec![(ANTHROPIC, url.to_owned())];
    if environment.variable(TOOL_SEARCH).is_none() {
        env.push((TOOL_SEARCH, "true".to_owned()));
    }
    Invocation { words, env }
}

/// The variable by which it asks a cloud's API, if one is set.
pub(super) fn asks_past(environment: &Environment) -> Option<&'static str> {
    let is_on = |name: &&str| {
        let value = environment.variable(name);
        value.is_some_and(|value| !matches!(value, "0" | "false"))
    };
    CLOUDS.into_iter().find(|name| is_on(name))
}

/// The base URL in its settings, which has precedence over the variable, and where it stands.
pub(crate) fn base_in_settings(environment: &Environment) -> Option<(String, String)> {
    let file = environment.claude_settings.as_ref()?;
    let settings: Settings = serde_json::from_str(&file.text).ok()?;
    let base_url = settings.env.base_url.filter(|base| !base.is_empty())?;
    Some((base_url, format!("{ANTHROPIC} in {}", file.path.display())))
}

fn has_settings(args: &[OsString]) -> bool {
    args.iter().any(|arg| {
        let arg = arg.to_string_lossy();
        arg == "--settings" || arg.starts_with("--settings=")
    })
}

#[cfg(test)]
mod tests {
    use super::super::environment::ReadFile;
    use super::*;

    const URL: &str = "http://127.0.0.1:9";

    fn words(args: &[&str]) -> Vec<OsString> {
        args.iter().map(OsString::from).collect()
    }

    #[test]
    fn it_is_given_the_address_and_the_tool_where_texts_may_be_shortened() {
        let args = words(&["-p", "fix it"]);
        let plain = invocation(&args, URL, false, &Environment::default());
        assert_eq!(plain.words, words(&["claude", "-p", "fix it"]));
        assert_eq!(
            plain.env,
            [
                (ANTHROPIC, URL.to_owned()),
                (TOOL_SEARCH, "true".to_owned())
            ]
        );
        let own = Environment::of(&[(TOOL_SEARCH, "auto")]);
        let with_tool = invocation(&args, URL, true, &own);
        assert_eq!(
            with_tool.words[1],
            OsString::from(
                r#"--mcp-config={"mcpServers":{"headroom":{"type":"http","url":"http://127.0.0.1:9/mcp"}}}"#
            )
        );
        assert_eq!(with_tool.env, [(ANTHROPIC, URL.to_owned())]);
    }

    #[test]
    fn its_settings_have_precedence_and_are_overridden() {
        let mut environment = Environment::of(&[(ANTHROPIC, "https://one.example")]);
        let asked = would_ask(&[], &environment).unwrap();
        assert_eq!(asked[0].base.as_str(), "https://one.example/");
        let text = r#"{"model":"opus","env":{"ANTHROPIC_BASE_URL":"https://two.example"}}"#;
        environment.claude_settings = ReadFile::at("/home/me/.claude/settings.json", text);
        let asked = would_ask(&[], &environment).unwrap();
        assert_eq!(asked[0].base.as_str(), "https://two.example/");
        assert!(asked[0].by.ends_with("settings.json"));
        let given = invocation(&[], URL, false, &environment);
        assert_eq!(
            given.words[1],
            OsString::from(r#"--settings={"env":{"ANTHROPIC_BASE_URL":"http://127.0.0.1:9"}}"#)
        );
        assert!(would_ask(&words(&["--settings", "x.json"]), &environment).is_err());
    }

    #[test]
    fn what_is_no_base_url_is_not_shown() {
        let environment = Environment::of(&[(ANTHROPIC, "https://me:hunter2@host")]);
        let error = would_ask(&[], &environment).unwrap_err().to_string();
        assert!(
            error.contains(ANTHROPIC) && !error.contains("hunter2"),
            "{error}"
        );
    }

    #[test]
    fn a_cloud_s_api_is_past_us() {
        let on = Environment::of(&[("CLAUDE_CODE_USE_VERTEX", "1")]);
        assert_eq!(asks_past(&on), Some("CLAUDE_CODE_USE_VERTEX"));
        let off = Environment::of(&[("CLAUDE_CODE_USE_BEDROCK", "0")]);
        assert_eq!(asks_past(&off), None);
    }
}
