//! Keeps a client from asking a corporate HTTP proxy for this machine's own addresses.

use super::environment::Environment;
use crate::upstream::proxies::EXEMPT;

/// The variables that name an HTTP proxy, as clients know them.
const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];
/// The address at which a started proxy listens.
const LOOPBACK: &str = "127.0.0.1";

/// What a client is given besides, where an HTTP proxy is set: the user's own exceptions, and this machine. Which of the variables counts
/// differs among clients.
pub(super) fn exempt(environment: &Environment) -> Vec<(&'static str, String)> {
    if PROXIES
        .iter()
        .all(|name| environment.variable(name).is_none())
    {
        return Vec::new();
    }
    let own = EXEMPT.iter().find_map(|name| environment.variable(name));
    let list = own.map_or_else(|| LOOPBACK.to_owned(), |own| format!("{own},{LOOPBACK}"));
    EXEMPT.map(|name| (name, list.clone())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_exempt_where_a_proxy_is_set() {
        assert_eq!(exempt(&Environment::of(&[("NO_PROXY", "x")])), []);
        let with = Environment::of(&[("https_proxy", "p:1"), ("no_proxy", "a,b")]);
        let list = "a,b,127.0.0.1".to_owned();
        assert_eq!(
            exempt(&with),
            [("NO_PROXY", list.clone()), ("no_proxy", list)]
        );
        let alone = exempt(&Environment::of(&[("ALL_PROXY", "p:1")]));
        assert_eq!(alone[0].1, "127.0.0.1");
    }
}
