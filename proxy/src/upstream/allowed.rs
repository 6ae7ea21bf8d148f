//! The custom upstreams: those that a request may name in its header `x-headroom-base-url`. Its credential is sent there, so only the
//! operator can say which are allowed; a request that names another one is refused.

use std::fmt;
use std::str::FromStr;

use http::uri::Authority;
use http::{HeaderMap, HeaderName};
use url::Url;

use super::base_url::base_url;
use crate::dialect::Provider;

/// Names the upstream of one request: a base URL, as those of the providers.
const BASE_URL: HeaderName = HeaderName::from_static("x-headroom-base-url");

/// Hosts that requests may name, `HEADROOM_ALLOWED_UPSTREAMS`.
#[derive(Debug, Clone, Default)]
pub struct AllowedUpstreams(Vec<Host>);

/// A host as URLs have it: in lower case, an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    name: String,
    /// `None`: any.
    port: Option<u16>,
}

/// Why a request is not sent to the upstream that it names or that its path leads to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAllowed {
    #[error("x-headroom-base-url {0}")]
    Invalid(String),
    #[error(
        "x-headroom-base-url names {host}:{port}, which HEADROOM_ALLOWED_UPSTREAMS does not list: the request is sent nowhere. To allow \
         it, start headroom-proxy with HEADROOM_ALLOWED_UPSTREAMS={host}:{port} (hosts or host:port, separated by commas)"
    )]
    Unlisted { host: String, port: u16 },
    #[error(
        "the credential is {of_credential:?}'s and the path {of_path:?}'s: the request is sent nowhere. Ask a path of the credential's \
         provider, or name the provider by a leading /anthropic or /openai"
    )]
    OtherProvider {
        of_credential: Provider,
        of_path: Provider,
    },
    #[error(
        "the request has credentials of different providers, and is sent nowhere. Send those of one provider alone"
    )]
    SeveralCredentials,
}

impl AllowedUpstreams {
    /// The upstream that these headers name, if they name any.
    ///
    /// # Errors
    /// When it is not one of these.
    pub(crate) fn named(&self, headers: &HeaderMap) -> Result<Option<Url>, NotAllowed> {
        let mut named = headers.get_all(BASE_URL).iter();
        let (value, more) = (named.next(), named.next());
        let Some(value) = value else {
            return Ok(None);
        };
        if more.is_some() {
            return Err(NotAllowed::Invalid("stands there twice".to_owned()));
        }
        // What it says is not repeated where it can't be read: it may hold a password.
        let url = base_url(value.to_str().unwrap_or_default()).map_err(NotAllowed::Invalid)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or_default();
        let lists = |listed: &Host| {
            listed.name == host && listed.port.is_none_or(|its_port| its_port == port)
        };
        if self.0.iter().any(lists) {
            Ok(Some(url))
        } else {
            Err(NotAllowed::Unlisted { host, port })
        }
    }
}

impl FromStr for AllowedUpstreams {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim);
        let entries = entries.filter(|entry| !entry.is_empty());
        let hosts: Option<Vec<Host>> = entries.map(Host::read).collect();
        let takes =
            "takes hosts or host:port, separated by commas, such as api.example.com,10.0.0.1:8080";
        hosts.map(Self).ok_or_else(|| takes.to_owned())
    }
}

impl fmt::Display for AllowedUpstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&hosts.join(","))
    }
}

impl Host {
    fn read(entry: &str) -> Option<Self> {
        let authority: Authority = entry.parse().ok()?;
        let written = authority.host();
        if written.contains('*') {
            return None; // A URL may contain it, but as a letter, not as a wildcard.
        }
        let port = match entry.strip_prefix(written)? {
            "" => None,
            port => Some(port.strip_prefix(':')?.parse().ok()?),
        };
        let url = Url::parse(&format!("http://{written}/")).ok()?;
        let name = url.host_str()?.to_owned();
        Some(Self { name, port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(allowed: &str, values: &[&str]) -> Result<Option<String>, String> {
        let allowed: AllowedUpstreams = allowed.parse().unwrap();
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(BASE_URL, value.parse().unwrap());
        }
        let named = allowed.named(&headers);
        let named = named.map(|url| url.map(|url| url.to_string()));
        named.map_err(|refused| refused.to_string())
    }

    #[test]
    fn only_listed_hosts_are_allowed() {
        let list = " Api.Example, 10.0.0.1:8080,[::1]:81, b.example:443 ,";
        for (url, allowed) in [
            ("https://api.example", true),
            ("https://API.example:8443/base/v1", true),
            ("http://api.example", true),
            ("http://10.0.0.1:8080/v1/", true),
            ("http://10.0.0.1", false),
            ("http://[::1]:81", true),
            ("http://[::1]:82", false),
            ("https://b.example", true),
            ("http://b.example", false),
            ("https://api.example.evil", false),
            ("https://x.api.example", false),
            ("https://evil/api.example", false),
        ] {
            assert_eq!(named(list, &[url]).is_ok(), allowed, "{url}");
            assert!(named("", &[url]).is_err(), "{url}");
        }
        assert_eq!(named(list, &[]), Ok(None));
        let base = named(list, &["https://API.example/base/v1"]).unwrap();
        assert_eq!(base.unwrap(), "https://api.example/base/v1");
    }

    #[test]
    fn what_is_no_base_url_is_refused_and_not_repeated() {
        for values in [
            &["api.example"][..],
            &[""],
            &["ftp://api.example"],
            &["https://me:hunter2@api.example"],
            &["https://api.example?key=hunter2"],
            &["https://api.example", "https://api.example"],
        ] {
            let refused = named("api.example", values).unwrap_err();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_set() {
        let refused = named("a.example", &["https://b.example/v1"]).unwrap_err();
        let set = "HEADROOM_ALLOWED_UPSTREAMS=b.example:443";
        assert!(refused.contains(set), "{refused}");
    }

    #[test]
    fn what_is_no_list_of_hosts_is_an_error() {
        for text in [
            "https://api.example",
            "api.example/v1",
            "me@api.example",
            "api.example:high",
            "api.example:",
            "a b",
            "*",
            "*.example",
        ] {
            assert!(text.parse::<AllowedUpstreams>().is_err(), "{text:?}");
        }
        let list: AllowedUpstreams = "A.example:1, b.example".parse().unwrap();
        assert_eq!(list.to_string(), "a.example:1,b.example");
    }
}
