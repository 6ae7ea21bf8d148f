//! Whose records a request may meet. What the proxy has done with a text tells whether somebody has sent it before, so where others can
//! reach the listener, nobody meets the records of another.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};

use crate::dialect::account::claude_account;
use crate::dialect::credential::{self, Credential};

/// By what records are kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Separation {
    /// By nothing.
    None,
    /// By the value of this header.
    Tenant(HeaderName),
    /// By the API key, or the account of a login.
    Account,
}

/// What the records of one tenant or account are kept apart by. It goes into a keyed digest and nowhere else.
pub(crate) type Scope = Vec<u8>;

impl Separation {
    /// By the header if there is one; else by account unless `shared`, or only this machine reaches a listener on `bind_host`.
    pub(crate) fn new(tenant_header: Option<HeaderName>, shared: bool, bind_host: &str) -> Self {
        match tenant_header {
            Some(name) => Self::Tenant(name),
            None if shared || is_loopback(bind_host) => Self::None,
            None => Self::Account,
        }
    }

    /// The header that names the tenant.
    pub(crate) const fn tenant_header(&self) -> Option<&HeaderName> {
        match self {
            Self::Tenant(name) => Some(name),
            Self::None | Self::Account => None,
        }
    }

    /// Whether a request's body may have to be read for its scope.
    pub(crate) const fn is_by_account(&self) -> bool {
        matches!(self, Self::Account)
    }

    /// The scope of a request; `None` is that of all who are not kept apart.
    pub(crate) fn scope(&self, headers: &HeaderMap, body: &Bytes) -> Option<Scope> {
        match self {
            Self::None => None,
            Self::Tenant(name) => headers.get(name).map(|tenant| tenant.as_bytes().to_vec()),
            Self::Account => Some(account(headers, body)),
        }
    }
}

/// Whether only this machine reaches a listener on this host.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address: Result<IpAddr, _> = host.parse();
    address.map_or_else(
        |_| host.eq_ignore_ascii_case("localhost"),
        |address| address.is_loopback(),
    )
}

/// Who asks: the API key, or the account of a login, whose token changes within a session. No header's value has a NUL, so none of these is
/// a tenant's name.
fn account(headers: &HeaderMap, body: &Bytes) -> Scope {
    let (kind, value) = match credential::of(headers) {
        Credential::Key(key) => ("key", key.to_vec()),
        Credential::ChatGptAccount(account) => ("chatgpt", account.to_vec()),
        Credential::Token => {
            let account = claude_account(body).unwrap_or_default();
            ("login", account.into_bytes())
        }
        Credential::None => ("none", Vec::new()),
    };
    [b"\0", kind.as_bytes(), b"\0", &value].concat()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TOKEN: (&str, &str) = ("authorization", "Bearer sk-ant-oat01-1");

    fn scope(lines: &[(&'static str, &'static str)], body: &'static str) -> Scope {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let separation = Separation::new(None, false, "0.0.0.0");
        separation
            .scope(&headers, &Bytes::from_static(body.as_bytes()))
            .unwrap()
    }

    #[test]
    fn a_listener_that_others_reach_keeps_accounts_apart() {
        let header = HeaderName::from_static("x-tenant");
        for (tenant, shared, host, expected) in [
            (None, false, "127.0.0.1", Separation::None),
            (None, false, "127.8.0.1", Separation::None),
            (None, false, "::1", Separation::None),
            (None, false, "Localhost", Separation::None),
            (None, false, "0.0.0.0", Separation::Account),
            (None, false, "::", Separation::Account),
            (None, false, "10.0.0.1", Separation::Account),
            (None, false, "proxy.example", Separation::Account),
            (None, true, "0.0.0.0", Separation::None),
            (
                Some(&header),
                true,
                "127.0.0.1",
                Separation::Tenant(header.clone()),
            ),
        ] {
            let found = Separation::new(tenant.cloned(), shared, host);
            assert_eq!(found, expected, "{tenant:?} {shared} {host}");
        }
    }

    #[test]
    fn a_session_goes_on_over_a_new_token_and_another_account_is_another() {
        let old = r#"{"messages":[{"metadata":{"user_id":"user_1_account_x_session_1"}}],"metadata":{"user_id":"user_1_account_a_session_1"}}"#;
        let new = r#"{"metadata":{"user_id":"{\"device_id\":\"d\",\"account_uuid\":\"a\",\"session_id\":\"2\"}"},"messages":[]}"#;
        let other = r#"{"metadata":{"user_id":"user_1_account_b_session_1"},"messages":[]}"#;
        let refreshed = ("authorization", "Bearer sk-ant-oat01-2");
        assert_eq!(scope(&[TOKEN], old), scope(&[refreshed], old));
        assert_eq!(scope(&[TOKEN], old), scope(&[refreshed], new));
        assert_ne!(scope(&[TOKEN], old), scope(&[TOKEN], other));
        let account = ("chatgpt-account-id", "a");
        let tokens = [
            (
                "authorization",
                "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.s",
            ),
            (
                "authorization",
                "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIyIn0.s",
            ),
        ];
        let [one, two] = tokens.map(|token| scope(&[token, account], "{}"));
        assert_eq!(one, two);
        assert_ne!(one, scope(&[tokens[0], ("chatgpt-account-id", "b")], "{}"));
    }

    #[test]
    fn keys_are_kept_apart_whatever_the_body_says() {
        let body = r#"{"metadata":{"user_id":"user_1_account_a_session_1"}}"#;
        let keys = [
            ("x-api-key", "sk-ant-api03-1"),
            ("x-api-key", "sk-ant-api03-2"),
            ("authorization", "Bearer sk-1"),
            ("authorization", "Bearer gateway"),
            ("api-key", "azure"),
            TOKEN,
        ];
        let mut scopes: Vec<Scope> = keys.iter().map(|key| scope(&[*key], body)).collect();
        scopes.push(scope(&[], body));
        scopes.sort();
        scopes.dedup();
        assert_eq!(scopes.len(), keys.len() + 1);
    }

    #[test]
    fn what_names_no_account_is_that_of_nobody_in_particular() {
        let nobody = scope(&[TOKEN], "{}");
        for body in [
            r#"{"metadata":{}}"#,
            r#"{"metadata":{"user_id":7}}"#,
            r#"{"metadata":{"user_id":"u"}}"#,
            r#"{"metadata":{"user_id":"user_1_account__session_1"}}"#,
            r#"{"metadata":{"user_id":"{\"account_uuid\":null}"}}"#,
            r#"{"metadata":{"user_id":"\ud800"}}"#,
            r#"{"metadata":[]}"#,
            "[",
            "",
        ] {
            assert_eq!(scope(&[TOKEN], body), nobody, "{body}");
        }
    }
}
