//! Which dialect and which provider a path leads to.

use super::*;

#[test]
fn a_dialect_is_told_by_the_end_of_its_path() {
    for (path, name) in [
        ("/v1/messages", "anthropic.messages"),
        ("/anthropic/v1/messages", "anthropic.messages"),
        ("/anthropic/messages", "anthropic.messages"),
        ("/v1/chat/completions", "openai.chat"),
        ("/api/v1/chat/completions", "openai.chat"),
        ("/chat/completions", "openai.chat"),
        ("/v1/responses", "openai.responses"),
        ("/responses", "openai.responses"),
        ("/backend-api/codex/responses", "openai.responses"),
        ("/api/codex/responses", "openai.responses"),
        ("/any/prefix/v1/responses", "openai.responses"),
        ("/v1/messages/count_tokens", "anthropic.messages"),
        ("/anthropic/v1/messages/count_tokens", "anthropic.messages"),
        ("/v1/responses/input_tokens", "openai.responses"),
        ("/responses/input_tokens", "openai.responses"),
        ("/v1/messages/", "anthropic.messages"),
        ("/chat/completions//", "openai.chat"),
        ("/backend-api/codex/responses/", "openai.responses"),
        ("/v1/responses/compact/", "openai.responses"),
        ("/openai/v1/responses", "openai.responses"),
        ("/openai/v1/chat/completions", "openai.chat"),
        ("/openai/deployments/gpt-5/chat/completions", "openai.chat"),
        ("/openai/deployments/gpt-5/chat/completions/", "openai.chat"),
        (
            "/gateway/openai/deployments/gpt-5/chat/completions",
            "openai.chat",
        ),
        ("/v1/responses/compact", "openai.responses"),
        ("/backend-api/codex/responses/compact", "openai.responses"),
    ] {
        let endpoint = Endpoint::of(path).expect(path);
        assert_eq!(endpoint.dialect.name(), name, "{path}");
        let purpose = match path.trim_end_matches('/').rsplit('/').next() {
            Some("compact") => Purpose::Compaction,
            Some("count_tokens" | "input_tokens") => Purpose::Count,
            _ => Purpose::Turn,
        };
        assert_eq!(endpoint.purpose, purpose, "{path}");
    }
}

#[test]
fn other_paths_are_no_dialect_s() {
    for path in [
        "/anthropic/v1/responses",
        "/openai/v1/messages",
        "/openai/deployments//chat/completions",
        "/openai/deployments/a/b/chat/completions",
        "/openai/deployments/gpt-5/embeddings",
        "/openai/deployments/gpt-5/messages",
        "/v1/messages/count_tokens/x",
        "/v1/messages/batches",
        "/v1/conversations/conv_1/items",
        "/model/anthropic.claude/invoke",
        "/v1/projects/p/models/claude:rawPredict",
        "/v1/threads/t_1/messages",
        "/v1/responses/resp_1",
        "/some/responses",
        "/",
    ] {
        assert!(Endpoint::of(path).is_none(), "{path}");
    }
}

#[test]
fn a_request_in_no_dialect_goes_where_its_credential_belongs() {
    let (anthropic, openai) = (Provider::Anthropic, Provider::OpenAi);
    let sk_ant = ("authorization", "Bearer sk-ant-oat01-1");
    for (path, headers, expected) in [
        ("/v1/models", vec![sk_ant], anthropic),
        ("/v1/files", vec![sk_ant], anthropic),
        ("/oauth/token", vec![sk_ant], anthropic),
        ("/v1/models", vec![("x-api-key", "k")], anthropic),
        (
            "/v1/models",
            vec![("anthropic-version", "2023-06-01")],
            anthropic,
        ),
        ("/v1/models", vec![("authorization", "Bearer sk-1")], openai),
        (
            "/v1/models",
            vec![("authorization", "Bearer sk-1"), ("anthropic-beta", "b")],
            openai,
        ),
        (
            "/api/claude_code/settings",
            vec![("authorization", "Bearer t")],
            anthropic,
        ),
        ("/v1/files", vec![("chatgpt-account-id", "a")], openai),
        ("/v1/files", vec![], openai),
    ] {
        let header = |(name, value): &(&str, &str)| (name.parse().unwrap(), value.parse().unwrap());
        let headers = HeaderMap::from_iter(headers.iter().map(header));
        assert_eq!(
            Provider::of(None, path, &headers),
            expected,
            "{path} {headers:?}"
        );
    }
}

#[test]
fn a_prefix_names_the_provider() {
    let headers = HeaderMap::new();
    assert_eq!(
        Provider::of(None, "/anthropic/v1/models", &headers),
        Provider::Anthropic
    );
    for path in [
        "/openai/v1/models",
        "/api/codex/usage",
        "/backend-api/codex/models",
    ] {
        assert_eq!(
            Provider::of(None, path, &headers),
            Provider::OpenAi,
            "{path}"
        );
    }
    assert_eq!(
        Provider::of(None, "/api/hello", &headers),
        Provider::Anthropic
    );
    assert_eq!(
        Provider::of(None, "/anthropics", &headers),
        Provider::OpenAi
    );
}
