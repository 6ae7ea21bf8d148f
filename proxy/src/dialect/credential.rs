//! Which provider a request's credential belongs to.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
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

/// The account of a `ChatGPT` login, which no client of another provider sends.
const CHATGPT_ACCOUNT: &str = "chatgpt-account-id";

/// The provider that a request's credential surely belongs to.
pub(super) fn provider(headers: &HeaderMap) -> Option<Provider> {
    let credentials = [
        bearer(headers),
        headers.get("x-api-key").map(HeaderValue::as_bytes),
    ];
    let by_credential = credentials.into_iter().flatten().find_map(|credential| {
        let credential = std::str::from_utf8(credential).ok()?;
        by_prefix(credential).or_else(|| by_issuer(credential))
    });
    let has_account = headers.contains_key(CHATGPT_ACCOUNT);
    by_credential.or(has_account.then_some(Provider::OpenAi))
}

/// Whether the credential is an older key of `OpenAI`'s, or of a gateway that speaks as it does.
pub(super) fn is_plain_openai_key(headers: &HeaderMap) -> bool {
    bearer(headers).is_some_and(|token| token.starts_with(b"sk-") && !token.starts_with(b"sk-ant-"))
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
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
