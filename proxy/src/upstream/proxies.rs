//! The HTTP proxies between this program and providers, read from `HTTPS_PROXY`, `NO_PROXY` and the like as curl and others do.

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

/// Where the proxy for `https://` targets is named; the first variable that is not empty counts.
const HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// The same for `http://` targets.
const HTTP: [&str; 3] = ["HTTP_PROXY", "ALL_PROXY", "all_proxy"];
/// Where the targets are named that need no proxy.
pub(crate) const EXEMPT: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Which targets are reached through which proxy. Neither its text nor an error shows a user or a password.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    https: Option<ProxyVariable>,
    http: Option<ProxyVariable>,
    /// Hosts, domains, addresses and networks, as `NO_PROXY` lists them.
    exempt: String,
}

/// The value of a variable.
#[derive(Debug, Clone)]
struct ProxyVariable {
    /// The variable's name.
    variable: &'static str,
    /// `None` where it can't be read.
    proxy: Option<Intercept>,
}

/// A variable that counts for a target and names no proxy that can be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "{variable} is (not shown): takes http://[user:password@]host:port or https://…, and NO_PROXY the hosts that need no proxy"
)]
pub(crate) struct Unusable {
    variable: &'static str,
}

impl Proxies {
    /// Reads the variables by their names.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let named = |names: &[&'static str]| {
            let found = names.iter().find_map(|name| Some((*name, value(name)?)));
            found.map(|(variable, value)| ProxyVariable {
                variable,
                proxy: any_target(Matcher::builder().all(value).build()),
            })
        };
        let exempt = EXEMPT.iter().find_map(value).unwrap_or_default();
        if exempt.split(',').any(|entry| entry.trim() == "*") {
            // As in curl; the matcher applies it to names only, not to addresses.
            return Self::default();
        }
        Self {
            https: named(&HTTPS),
            http: named(&HTTP),
            exempt,
        }
    }

    /// The proxy that `target` is reached through, if it is one that needs any.
    ///
    /// # Errors
    /// When the variable that counts for it names none that can be used.
    pub(crate) fn of(&self, target: &Uri) -> Result<Option<Intercept>, Unusable> {
        let named = match target.scheme_str() {
            Some("https") => &self.https,
            _ => &self.http,
        };
        let Some(ProxyVariable { variable, proxy }) = named else {
            return Ok(None);
        };
        let whichever = Matcher::builder().all("http://proxy").no(&self.exempt);
        if whichever.build().intercept(target).is_none() {
            return Ok(None);
        }
        match proxy {
            Some(proxy) if matches!(proxy.uri().scheme_str(), Some("http" | "https")) => {
                Ok(Some(proxy.clone()))
            }
            Some(_) | None => Err(Unusable { variable }),
        }
    }
}

/// The proxy of a matcher that exempts nothing.
fn any_target(matcher: Matcher) -> Option<Intercept> {
    matcher.intercept(&Uri::from_static("https://any/"))
}

/// Host and port of a proxy.
pub(crate) fn name(proxy: &Intercept) -> String {
    let authority = proxy.uri().authority();
    authority.map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Proxies {
        Proxies::read(|name| {
            let mut found = variables.iter().filter(|(other, _)| *other == name);
            found.next().map(|(_, value)| (*value).to_owned())
        })
    }

    /// What a target is reached through by these variables: the proxy's name, `direct` or the variable that can't be used.
    fn of(variables: &[(&str, &str)], target: &'static str) -> String {
        match read(variables).of(&Uri::from_static(target)) {
            Ok(Some(proxy)) => name(&proxy),
            Ok(None) => "direct".to_owned(),
            Err(unusable) => unusable.variable.to_owned(),
        }
    }

    #[test]
    fn the_first_variable_for_the_target_s_scheme_counts() {
        let (https, http) = ("https://a.example", "http://a.example:81");
        for (variables, by_https, by_http) in [
            (&[][..], "direct", "direct"),
            (&[("HTTPS_PROXY", "http://p:1")], "p:1", "direct"),
            (&[("https_proxy", "p:1")], "p:1", "direct"),
            (&[("HTTP_PROXY", "http://p:1/")], "direct", "p:1"),
            (&[("http_proxy", "http://p:1")], "direct", "direct"),
            (&[("all_proxy", "https://p:1")], "p:1", "p:1"),
            (
                &[("HTTPS_PROXY", ""), ("https_proxy", "p:1")],
                "p:1",
                "direct",
            ),
            (
                &[
                    ("HTTPS_PROXY", "p:1"),
                    ("https_proxy", "q:1"),
                    ("ALL_PROXY", "r:1"),
                ],
                "p:1",
                "r:1",
            ),
        ] {
            assert_eq!(of(variables, https), by_https, "{variables:?}");
            assert_eq!(of(variables, http), by_http, "{variables:?}");
        }
    }

    #[test]
    fn no_proxy_exempts_hosts_domains_and_networks() {
        let of = |exempt, target| of(&[("ALL_PROXY", "p:1"), ("no_proxy", exempt)], target);
        for (exempt, target, through) in [
            ("", "http://127.0.0.1:81", "p:1"),
            ("127.0.0.1", "http://127.0.0.1:81", "direct"),
            ("10.0.0.0/8, ::1", "https://10.1.2.3", "direct"),
            ("10.0.0.0/8, ::1", "https://[::1]:81", "direct"),
            ("example", "https://a.example", "direct"),
            (".example", "https://A.Example", "direct"),
            ("example", "https://notexample", "p:1"),
            ("*", "https://a.example", "direct"),
            ("b.example, *", "http://127.0.0.1:81", "direct"),
        ] {
            assert_eq!(of(exempt, target), through, "{exempt:?} {target}");
        }
    }

    #[test]
    fn what_is_no_proxy_of_ours_is_an_error_only_where_it_counts() {
        for bad in ["socks5://p:1", "ftp://p:1", "http://", "not a url"] {
            let by_all = [
                ("ALL_PROXY", bad),
                ("HTTPS_PROXY", "q:1"),
                ("NO_PROXY", "b.example"),
            ];
            assert_eq!(of(&by_all, "https://a.example"), "q:1");
            assert_eq!(of(&by_all, "http://b.example"), "direct");
            assert_eq!(of(&by_all, "http://a.example"), "ALL_PROXY", "{bad}");
        }
    }

    #[test]
    fn credentials_are_sent_and_not_shown() {
        let target = Uri::from_static("https://a.example");
        for (value, sent) in [
            ("http://me:hunter2@p:1", Some("Basic bWU6aHVudGVyMg==")),
            ("http://me:hunt%65r2@p:1", Some("Basic bWU6aHVudGVyMg==")),
            ("http://p:1", None),
        ] {
            let proxies = read(&[("HTTPS_PROXY", value)]);
            let proxy = proxies.of(&target).unwrap().unwrap();
            let basic = proxy.basic_auth().map(|value| value.to_str().unwrap());
            assert_eq!((basic, name(&proxy).as_str()), (sent, "p:1"));
            let shown = format!("{proxies:?} {proxy:?}");
            assert!(
                !shown.contains("hunter2") && !shown.contains("bWU6"),
                "{shown}"
            );
        }
        let unusable = read(&[("HTTPS_PROXY", "socks5://me:hunter2@p:1")]);
        let said = unusable.of(&target).unwrap_err().to_string();
        assert!(
            said.starts_with("HTTPS_PROXY is (not shown): takes "),
            "{said}"
        );
        assert!(!format!("{unusable:?} {said}").contains("hunter2"));
    }
}
