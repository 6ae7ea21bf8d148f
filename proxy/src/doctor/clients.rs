//! Where the clients on this machine are set to ask: here, or past the proxy.

use url::Url;

use super::check::Check;
use crate::running::shown;
use crate::wrap::environment::{Environment, base};
use crate::wrap::{claude, codex};

const NAME: &str = "client";

/// A setting of a client that holds an address.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    /// What it is of, such as `Codex`.
    client: &'static str,
    /// Where it stands.
    place: String,
    value: String,
}

/// A check for each setting that was found; one in all where there is none.
pub(super) fn check(environment: &Environment, own: &Url, runs: bool) -> Vec<Check> {
    let (settings, mut checks) = settings(environment);
    if settings.is_empty() && checks.is_empty() {
        checks.push(Check::ok(
            NAME,
            "no client on this machine has an address: headroom-proxy wrap sets it for one session, docs/clients.md says how for all",
        ));
    }
    checks.extend(settings.iter().map(|setting| one(setting, own, runs)));
    checks
}

/// The settings, and what can't be read of them.
fn settings(environment: &Environment) -> (Vec<Setting>, Vec<Check>) {
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    let mut add = |client, place: String, value: &str| {
        found.push(Setting {
            client,
            place,
            value: value.to_owned(),
        });
    };
    for (name, client) in [
        ("ANTHROPIC_BASE_URL", "Claude Code and SDKs"),
        ("OPENAI_BASE_URL", "SDKs"),
    ] {
        if let Some(value) = environment.variable(name) {
            add(client, format!("{name} in the environment"), value);
        }
    }
    if let Some((value, place)) = claude::base_in_settings(environment) {
        add("Claude Code", place, &value);
    }
    let in_config = |key: &str| format!("{key} in Codex's config.toml");
    match codex::config(environment) {
        Ok(config) => {
            if let Some(value) = &config.openai_base_url {
                add("Codex", in_config("openai_base_url"), value);
            }
            for (name, provider) in &config.model_providers {
                if let Some(value) = &provider.base_url {
                    add(
                        "Codex",
                        in_config(&format!("model_providers.{name}")),
                        value,
                    );
                }
            }
        }
        Err(error) => unread.push(Check::warning(
            NAME,
            format!("Codex: {error:#}"),
            "repair the file: Codex can't read it either",
        )),
    }
    (found, unread)
}

fn one(setting: &Setting, own: &Url, runs: bool) -> Check {
    let Setting {
        client,
        place,
        value,
    } = setting;
    let address = match base(place, value) {
        Ok(address) => address,
        Err(error) => {
            return Check::warning(NAME, format!("{client}: {error}"), "set it to a base URL");
        }
    };
    let address_shown = address.authority();
    let detail = format!("{client}: {place} is {address_shown}");
    match (is_same(&address, own), runs) {
        (true, true) => Check::ok(NAME, format!("{detail}, this proxy")),
        (true, false) => Check::warning(
            NAME,
            format!("{detail}, where no proxy runs"),
            "start headroom-proxy, or take the setting away",
        ),
        (false, _) => Check::warning(
            NAME,
            format!("{detail}, past this proxy"),
            format!(
                "set it to {}, as in docs/clients.md, if it is meant to ask here",
                shown(own)
            ),
        ),
    }
}

/// Whether both lead to the same port; all names of this machine's loopback are one.
fn is_same(a: &Url, b: &Url) -> bool {
    let host = |url: &Url| match url.host() {
        Some(url::Host::Domain("localhost")) | None => "127.0.0.1".to_owned(),
        Some(url::Host::Ipv4(ip)) if ip.is_loopback() => "127.0.0.1".to_owned(),
        Some(url::Host::Ipv6(ip)) if ip.is_loopback() => "127.0.0.1".to_owned(),
        Some(host) => host.to_string(),
    };
    a.scheme() == b.scheme()
        && host(a) == host(b)
        && a.port_or_known_default() == b.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;
    use crate::wrap::environment::ReadFile;

    fn own() -> Url {
        "http://127.0.0.1:8787".parse().unwrap()
    }

    #[test]
    fn settings_lead_here_or_past_here() {
        for (value, runs, status, says) in [
            ("http://localhost:8787/v1", true, Status::Ok, "this proxy"),
            ("http://[::1]:8787", false, Status::Warning, "no proxy runs"),
            (
                "http://127.0.0.1:8788",
                true,
                Status::Warning,
                "past this proxy",
            ),
            (
                "https://gateway.example/x",
                true,
                Status::Warning,
                "is gateway.example, past",
            ),
            ("https://me:hunter2@x", true, Status::Warning, "(not shown)"),
        ] {
            let environment = Environment::of(&[("OPENAI_BASE_URL", value)]);
            let [check] = check(&environment, &own(), runs).try_into().unwrap();
            assert_eq!(check.status, status, "{value}");
            assert!(check.detail.contains(says), "{}", check.detail);
            assert!(!check.detail.contains("hunter2"));
        }
    }

    #[test]
    fn files_of_both_clients_are_read() {
        let claude = r#"{"env":{"ANTHROPIC_BASE_URL":"http://127.0.0.1:8787"}}"#;
        let codex = "openai_base_url = \"https://x.example/v1\"\n[model_providers.headroom]\nbase_url = \"http://127.0.0.1:8787/v1\"\n";
        let mut environment = Environment {
            claude_settings: ReadFile::at("/h/.claude/settings.json", claude),
            codex_config: ReadFile::at("/h/.codex/config.toml", codex),
            ..Environment::default()
        };
        let checks = check(&environment, &own(), true);
        let status: Vec<_> = checks.iter().map(|check| check.status).collect();
        assert_eq!(
            status,
            [Status::Ok, Status::Warning, Status::Ok],
            "{checks:?}"
        );
        environment.codex_config = ReadFile::at("/h/.codex/config.toml", "key = hunter2");
        let checks = check(&environment, &own(), true);
        assert_eq!(checks.len(), 2);
        assert!(checks.iter().all(|check| !check.detail.contains("hunter2")));
        assert_eq!(
            check(&Environment::default(), &own(), true)[0].status,
            Status::Ok
        );
    }
}
