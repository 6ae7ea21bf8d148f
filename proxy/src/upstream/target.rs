//! The path and query that a provider is asked for: the base URL's path, followed by the request's.

use http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;

use super::RequestLine;
use crate::dialect::{AZURE_DEPLOYMENTS, PROVIDER_PREFIXES};

/// How the base URL ends of an API that has the endpoints of `OpenAI`'s Responses API without `/v1`: `ChatGPT`'s for Codex.
const CODEX: &str = "/codex";

/// How the paths of Azure's API begin.
const AZURE: &str = "/openai";

/// How many times servers between here and the API are thought to decode a path.
const MAX_DECODED: usize = 3;

/// The path and query of a request to the API whose base URL has the path `base`. A base that ends in `/v1` or `/openai`, as clients word
/// it, does not double that. `None` where that is no path.
pub(super) fn target(base: &str, asked: &RequestLine<'_>) -> Option<PathAndQuery> {
    let base = base.trim_end_matches('/');
    let path = asked.path.path();
    let target = match asked.endpoint {
        _ if is_azure(asked.path) => join(base, path),
        Some(endpoint) if base.ends_with(CODEX) => {
            [base, endpoint.unversioned(), slashes(path)].concat()
        }
        Some(endpoint) if endpoint.unversioned() == without_slashes(without_provider(path)) => {
            join(base, endpoint.path) + slashes(path)
        }
        _ => join(base, without_provider(path)),
    };
    if climbs(base, &target) {
        return None;
    }
    let query = asked.path.query().map(|query| format!("?{query}"));
    let target = [target, query.unwrap_or_default()].concat();
    if target == asked.path.as_str() {
        return Some(asked.path.clone());
    }
    target.parse().ok()
}

/// Whether a path that begins with `base` leads above it, for a server that resolves `..` before or after it decodes escapes, up to three
/// times.
fn climbs(base: &str, path: &str) -> bool {
    let mut path = path.to_owned();
    for _ in 0..=MAX_DECODED {
        if climbs_as_written(base, &path) {
            return true;
        }
        path = percent_decode_str(&path).decode_utf8_lossy().into_owned();
    }
    false
}

fn climbs_as_written(base: &str, path: &str) -> bool {
    let of_base = base
        .split('/')
        .filter(|segment| !segment.is_empty())
        .count();
    let mut depth = 0_usize;
    for segment in path.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." if depth <= of_base => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

fn join(base: &str, path: &str) -> String {
    let doubled = |name: &&str| {
        let rest = path.strip_prefix(name);
        base.ends_with(name) && rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let doubled = ["/v1", AZURE].into_iter().find(doubled);
    let start = doubled.and_then(|name| base.strip_suffix(name));
    format!("{}{path}", start.unwrap_or(base))
}

/// Whether a request is for Azure's API, in whose paths `/openai` is more than the name of the provider, and which has no `/v1` in those
/// that name a deployment or a version of the API.
fn is_azure(asked: &PathAndQuery) -> bool {
    let path = asked.path();
    let names_version = |query: &str| query.split('&').any(|it| it.starts_with("api-version="));
    path.starts_with(AZURE_DEPLOYMENTS)
        || path
            .strip_prefix(AZURE)
            .is_some_and(|rest| rest.starts_with('/'))
            && asked.query().is_some_and(names_version)
}

/// The slashes at the end of a path.
fn slashes(path: &str) -> &str {
    &path[without_slashes(path).len()..]
}

fn without_slashes(path: &str) -> &str {
    path.trim_end_matches('/')
}

/// The path without the prefix that only names the provider.
fn without_provider(path: &str) -> &str {
    let rest = |prefix: &&str| {
        path.strip_prefix(prefix)
            .filter(|rest| rest.starts_with('/'))
    };
    PROVIDER_PREFIXES
        .iter()
        .map(|(prefix, _)| prefix)
        .find_map(rest)
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Endpoint;
    use http::Method;

    /// The target of a request for `path` to an API whose base URL has the path `base`.
    fn joined(base: &str, path: &'static str) -> PathAndQuery {
        let path = PathAndQuery::from_static(path);
        let asked = RequestLine {
            method: Method::POST,
            path: &path,
            endpoint: Endpoint::of(path.path()),
        };
        target(base, &asked).unwrap()
    }

    #[test]
    fn paths_are_joined_to_the_base() {
        for (base, path, expected) in [
            ("/", "/v1/messages?beta=true", "/v1/messages?beta=true"),
            ("/v1", "/v1/responses", "/v1/responses"),
            ("/v1/", "/v1/models?a=b%20c", "/v1/models?a=b%20c"),
            ("/gateway", "/v1/messages", "/gateway/v1/messages"),
            ("/", "/api/hello", "/api/hello"),
            ("/", "/responses", "/v1/responses"),
            ("/v1", "/chat/completions?a", "/v1/chat/completions?a"),
            ("/", "/api/v1/chat/completions", "/api/v1/chat/completions"),
            ("/", "/openai/v1/responses", "/v1/responses"),
            ("/", "/openai/responses", "/v1/responses"),
            (
                "/",
                "/anthropic/v1/messages?beta=true",
                "/v1/messages?beta=true",
            ),
            ("/", "/anthropic/v1/models", "/v1/models"),
            ("/", "/v1/messages/", "/v1/messages/"),
            ("/", "/responses/?a", "/v1/responses/?a"),
            ("/", "/openai/responses//", "/v1/responses//"),
            ("/", "/messages/count_tokens", "/v1/messages/count_tokens"),
            ("/", "/responses/input_tokens", "/v1/responses/input_tokens"),
            ("/", "/anthropics/v1/models", "/anthropics/v1/models"),
        ] {
            assert_eq!(joined(base, path), expected, "{base} {path}");
        }
    }

    #[test]
    fn azure_s_api_is_asked_below_openai() {
        for (path, expected) in [
            (
                "/openai/deployments/gpt/chat/completions?api-version=2024-10-21",
                "/openai/deployments/gpt/chat/completions?api-version=2024-10-21",
            ),
            (
                "/openai/deployments/gpt/embeddings",
                "/openai/deployments/gpt/embeddings",
            ),
            (
                "/openai/responses?api-version=2025-03-01-preview",
                "/openai/responses?api-version=2025-03-01-preview",
            ),
            (
                "/openai/v1/responses?api-version=preview",
                "/openai/v1/responses?api-version=preview",
            ),
        ] {
            for base in ["/", "/openai", "/openai/"] {
                assert_eq!(joined(base, path), expected, "{base}");
            }
        }
        // Without a query, only the base tells Azure's from another API that is named by its provider.
        let path = "/openai/v1/responses";
        assert_eq!(joined("/openai", path), path);
        assert_eq!(joined("/", path), "/v1/responses");
        let deployment = "/openai/deployments/gpt/chat/completions";
        assert_eq!(
            joined("/gateway/openai", deployment),
            "/gateway/openai/deployments/gpt/chat/completions"
        );
    }

    #[test]
    fn no_path_leaves_the_base() {
        for (path, leaves) in [
            ("/v1/../../admin", true),
            ("/v1/%2e%2E/../admin", true),
            ("/v1/..%2f..%2fadmin", true),
            ("/v1/%2e.%5C..%5cadmin", true),
            ("/v1//../../admin", true),
            ("/..", true),
            ("/openai/../admin", true),
            ("/anthropic/%2e%2e/admin", true),
            ("/v1/%252e%252e/%252e%252e/admin", true),
            ("/a%2fb/../../admin", true),
            ("/v1//odd/../path", false),
            ("/v1/../admin", false),
            ("/v1/files/a..b", false),
            ("/v1/files/a%2Fb", false),
            ("/v1/files/...", false),
            ("/v1/messages?next=../x", false),
        ] {
            let path = PathAndQuery::from_static(path);
            let asked = RequestLine {
                method: Method::GET,
                path: &path,
                endpoint: None,
            };
            assert_eq!(target("/base", &asked).is_none(), leaves, "{path}");
        }
        // Where the base has the version already, the path's is not sent.
        let path = PathAndQuery::from_static("/v1/../admin");
        let asked = RequestLine {
            method: Method::GET,
            path: &path,
            endpoint: None,
        };
        assert_eq!(target("/base/v1", &asked), None);
    }

    #[test]
    fn chatgpt_s_api_has_no_version_in_its_paths() {
        let base = "/backend-api/codex";
        for path in [
            "/v1/responses",
            "/responses",
            "/backend-api/codex/responses",
        ] {
            assert_eq!(joined(base, path), "/backend-api/codex/responses");
        }
        let path = "/backend-api/codex/responses?a=1";
        assert_eq!(joined("/", path), path);
    }
}
