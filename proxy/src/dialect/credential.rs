//! Which provider a request's credential belongs to.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::Value;

use super::Provider;

/// How the keys of one provider begin. Other keys that begin with `sk-` are `OpenAI`'s older ones, and those of many gateways.
const KEY_PREFIXES: [(&str, Provider); 5] = [
    ("sk-ant-", Provider::Anthropic),
    ("sk-proj-", Provider::OpenAi),
    ("sk-svcacct-", Provider::OpenAi),
    ("sk-admin-", Provider::OpenAi),
    ("sess-", Provider::OpenAi),
];

/// Where the tokens of a `ChatGPT` login come from, and those of a Claude login that are JSON web tokens.
const ISSUERS: [(&str, Provider); 3] = [
    ("openai.com", Provider::OpenAi),
    ("anthropic.com", Provider::Anthropic),
    ("claude.ai", Provider::Anthropic),
];

/// Where Anthropic's clients send a key.
const API_KEY: &str = "x-api-key";

/// Where clients of Azure's `OpenAI` send a key.
const AZURE_KEY: &str = "api-key";

/// How the tokens of a Claude login begin.
const CLAUDE_TOKEN: &[u8] = b"sk-ant-oat";

/// The account of a `ChatGPT` login, which no client of another provider sends.
const CHATGPT_ACCOUNT: &str = "chatgpt-account-id";

/// What a request shows to its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential<'h> {
    /// A key, which stays the same.
    Key(&'h [u8]),
    /// The token of a login, which is renewed every few hours.
    Token,
    /// The same, of this `ChatGPT` account.
    ChatGptAccount(&'h [u8]),
    None,
}

/// What a request shows. A key counts before a token.
pub(crate) fn of(headers: &HeaderMap) -> Credential<'_> {
    let key = headers.get(API_KEY).or_else(|| headers.get(AZURE_KEY));
    if let Some(key) = key {
        return Credential::Key(key.as_bytes());
    }
    if let Some(account) = headers.get(CHATGPT_ACCOUNT) {
        return Credential::ChatGptAccount(account.as_bytes());
    }
    match headers.get(header::AUTHORIZATION) {
        None => Credential::None,
        Some(value) => match bearer(value) {
            Some(token) if is_of_login(token) => Credential::Token,
            Some(key) => Credential::Key(key),
            None => Credential::Key(value.as_bytes()),
        },
    }
}

/// Whether a bearer token is of a login: Claude's, or a JSON web token.
fn is_of_login(token: &[u8]) -> bool {
    token.starts_with(CLAUDE_TOKEN) || token.split(|byte| *byte == b'.').count() == 3
}

/// Whether a header of this name is, or says, who asks the provider.
pub(crate) fn is_credential(name: &HeaderName) -> bool {
    let names = [
        header::AUTHORIZATION.as_str(),
        API_KEY,
        AZURE_KEY,
        CHATGPT_ACCOUNT,
    ];
    names.contains(&name.as_str())
}

/// The provider that a request's credential surely belongs to.
pub(super) fn provider(headers: &HeaderMap) -> Option<Provider> {
    let has_account = headers.contains_key(CHATGPT_ACCOUNT);
    let by_account = has_account.then_some(Provider::OpenAi);
    providers(headers).next().or(by_account)
}

/// Whether a request has credentials that surely belong to different providers, so that wherever it goes, one goes to a stranger.
pub(super) fn are_of_several(headers: &HeaderMap) -> bool {
    let mut providers = providers(headers);
    let first = providers.next();
    providers.any(|other| first != Some(other))
}

/// The providers that the credentials surely belong to, one for each that says it.
fn providers(headers: &HeaderMap) -> impl Iterator<Item = Provider> {
    let bearers = headers.get_all(header::AUTHORIZATION).iter();
    let keys = headers.get_all(API_KEY).iter();
    let credentials = bearers
        .filter_map(bearer)
        .chain(keys.map(HeaderValue::as_bytes));
    credentials.filter_map(|credential| {
        let credential = std::str::from_utf8(credential).ok()?;
        by_prefix(credential).or_else(|| by_issuer(credential))
    })
}

/// Whether the credential is an older key of `OpenAI`'s, or of a gateway that speaks as it does.
pub(super) fn is_plain_openai_key(headers: &HeaderMap) -> bool {
    let token = headers.get(header::AUTHORIZATION).and_then(bearer);
    token.is_some_and(|token| token.starts_with(b"sk-") && !token.starts_with(b"sk-ant-"))
}

/// The token in a value of `Authorization`.
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

fn by_prefix(credential: &str) -> Option<Provider> {
    let of = |(prefix, _): &&(&str, Provider)| credential.starts_with(prefix);
    KEY_PREFIXES.iter().find(of).map(|(_, provider)| *provider)
}

/// The provider that issued a JSON web token, by its claims. They are not verified: the provider does that.
fn by_issuer(token: &str) -> Option<Provider> {
    let claims = token.split('.').nth(1)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let issuer = claims.get("iss")?.as_str()?;
    let host = issuer.trim_start_matches("https://").split('/').next()?;
    let is_of = |(domain, _): &&(&str, Provider)| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    ISSUERS.iter().find(is_of).map(|(_, provider)| *provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(issuer: &str) -> String {
        let claims = format!(r#"{{"iss":"{issuer}","sub":"me"}}"#);
        format!(
            "eyJhbGciOiJub25lIn0.{}.s",
            BASE64_URL_SAFE_NO_PAD.encode(claims)
        )
    }

    #[test]
    fn credentials_of_several_providers_are_told() {
        let (ant, proj) = (
            ("x-api-key", "sk-ant-1"),
            ("authorization", "Bearer sk-proj-1"),
        );
        for (lines, several) in [
            (&[ant, proj][..], true),
            (&[proj, ("authorization", "Bearer sk-ant-1")], true),
            (&[("x-api-key", "x"), ant, proj], true),
            (&[ant, ("authorization", "Bearer sk-ant-oat01-1")], false),
            (&[proj, ("x-api-key", "x")], false),
            (&[ant, ("chatgpt-account-id", "1")], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(are_of_several(&headers), several, "{lines:?}");
        }
    }

    #[test]
    fn a_credential_names_its_provider() {
        let (anthropic, openai) = (Some(Provider::Anthropic), Some(Provider::OpenAi));
        for (name, value, expected) in [
            ("x-api-key", "sk-ant-1".to_owned(), anthropic),
            (
                "authorization",
                "Bearer sk-ant-oat01-1".to_owned(),
                anthropic,
            ),
            (
                "authorization",
                "bearer  sk-ant-oat01-1".to_owned(),
                anthropic,
            ),
            ("authorization", "Bearer sk-proj-1".to_owned(), openai),
            ("authorization", "Bearer sk-svcacct-1".to_owned(), openai),
            ("authorization", "Bearer sess-1".to_owned(), openai),
            ("authorization", "Bearer sk-1".to_owned(), None),
            ("authorization", "Bearer eyJ".to_owned(), None),
            (
                "authorization",
                format!("Bearer {}", token("https://auth.openai.com")),
                openai,
            ),
            (
                "authorization",
                format!("Bearer {}", token("https://claude.ai/login")),
                anthropic,
            ),
            (
                "authorization",
                format!("Bearer {}", token("https://notopenai.com")),
                None,
            ),
            ("authorization", "Basic sk-ant-1".to_owned(), None),
            ("chatgpt-account-id", "a-1".to_owned(), openai),
            ("cookie", "sk-ant-1".to_owned(), None),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            assert_eq!(provider(&headers), expected, "{name}: {value}");
        }
    }
}
