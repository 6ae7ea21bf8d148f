//! Keeps the pages of a browser next door out: those that reach this listener under a name of their own (DNS rebinding), and those that
//! post to it from another origin.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, Request, header};
use url::{Host, Url};

/// The names under which this listener is known.
#[derive(Debug, Clone)]
pub(crate) struct OwnHosts {
    names: Vec<String>,
    /// Whether it listens on every address of the machine, so that it can be reached by any. Pages of other machines' addresses are of another
    /// origin all the same.
    any_address: bool,
}

impl OwnHosts {
    /// Those of a listener on `bind_host`, and those that `HEADROOM_ALLOWED_HOSTS` lists.
    pub(crate) fn new(bind_host: &str, allowed: &[String]) -> Self {
        let address: Option<IpAddr> = bind_host.parse().ok();
        let names = allowed.iter().map(String::as_str).chain([bind_host]);
        Self {
            names: names.map(str::to_ascii_lowercase).collect(),
            any_address: address.is_some_and(|address| address.is_unspecified()),
        }
    }

    /// Whether a request is for one of these hosts: the authority of its target, or its `Host`.
    pub(crate) fn is_asked<B>(&self, request: &Request<B>) -> bool {
        let by_header = || {
            let host = request.headers().get(header::HOST)?;
            Authority::try_from(host.as_bytes()).ok()
        };
        let authority = request.uri().authority().cloned().or_else(by_header);
        authority.is_some_and(|authority| {
            self.has(authority.host()) || (self.any_address && is_address(authority.host()))
        })
    }

    /// Whether a request is a page's of another origin. Only browsers say where a request comes from.
    pub(crate) fn is_cross_origin(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return false;
        };
        let origin = origin
            .to_str()
            .ok()
            .and_then(|origin| Url::parse(origin).ok());
        let host = origin.as_ref().and_then(Url::host_str);
        !host.is_some_and(|host| self.has(host))
    }

    fn has(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name = host.trim_start_matches('[').trim_end_matches(']');
        if self.names.iter().any(|own| own == name) {
            return true;
        }
        match Host::parse(&host) {
            Ok(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Ok(Host::Ipv4(address)) => address.is_loopback(),
            Ok(Host::Ipv6(address)) => address.is_loopback(),
            Err(_) => false,
        }
    }
}

fn is_address(host: &str) -> bool {
    matches!(Host::parse(host), Ok(Host::Ipv4(_) | Host::Ipv6(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_knows_its_names() {
        let allowed = ["Proxy.internal".to_owned()];
        let local = OwnHosts::new("127.0.0.1", &allowed);
        let open = OwnHosts::new("0.0.0.0", &[]);
        let named = OwnHosts::new("box.lan", &[]);
        for (host, by_local, by_open, by_named) in [
            ("localhost:8787", true, true, true),
            ("app.localhost", true, true, true),
            ("127.0.0.1:8787", true, true, true),
            ("[::1]:8787", true, true, true),
            ("proxy.INTERNAL:1", true, false, false),
            ("192.168.1.9:8787", false, true, false),
            ("[fe80::1]", false, true, false),
            ("box.lan:8787", false, false, true),
            ("evil.example", false, false, false),
            ("localhost.evil.example", false, false, false),
        ] {
            let request = Request::get("/stats")
                .header("host", host)
                .body(())
                .unwrap();
            let asked = [&local, &open, &named].map(|hosts| hosts.is_asked(&request));
            assert_eq!(asked, [by_local, by_open, by_named], "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_is_told() {
        let mut page_elsewhere = HeaderMap::new();
        page_elsewhere.insert(header::ORIGIN, "http://203.0.113.5".parse().unwrap());
        assert!(OwnHosts::new("0.0.0.0", &[]).is_cross_origin(&page_elsewhere));
        let hosts = OwnHosts::new("127.0.0.1", &["tools.example".to_owned()]);
        for (origin, is_cross) in [
            (None, false),
            (Some("http://localhost:3000"), false),
            (Some("https://tools.example"), false),
            (Some("https://evil.example"), true),
            (Some("null"), true),
            (Some("file://"), true),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(hosts.is_cross_origin(&headers), is_cross, "{origin:?}");
        }
    }
}
