//! Which paths are a dialect's, wherever clients put them, and what the provider is asked for then.

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::process::Launch;
use headroom_tests::provider::Provider;
use headroom_tests::stage::Stage;

fn patient(launch: Launch) -> Launch {
    launch.patient()
}

/// Posts a conversation with one large result, and gives the decision and what the provider was asked for.
async fn asked_for(stage: &Stage, dialect: Dialect, path: &str) -> (String, String) {
    let conversation = Conversation::new(dialect, path)
        .user("Read it.")
        .reads(1, 20_000);
    let call = Call::post(path, conversation.body().bytes).header("authorization", "Bearer x");
    let answer = stage.send(&call).await;
    let decision = answer.decision();
    answer.bytes().await;
    (decision, stage.provider.next().await.target)
}

#[tokio::test]
async fn the_dialects_are_told_by_the_ends_of_their_paths() {
    let stage = Stage::embedded(patient).await;
    for (dialect, path, target) in [
        (
            Dialect::Messages,
            "/anthropic/v1/messages?beta=true",
            "/v1/messages?beta=true",
        ),
        (Dialect::Messages, "/messages", "/v1/messages"),
        (Dialect::Chat, "/chat/completions", "/v1/chat/completions"),
        (
            Dialect::Chat,
            "/openai/v1/chat/completions",
            "/v1/chat/completions",
        ),
        (
            Dialect::Chat,
            "/api/v1/chat/completions",
            "/api/v1/chat/completions",
        ),
        (Dialect::Responses, "/responses", "/v1/responses"),
        (
            Dialect::Responses,
            "/backend-api/codex/responses",
            "/backend-api/codex/responses",
        ),
        (
            Dialect::Responses,
            "/gateway/a/v1/responses",
            "/gateway/a/v1/responses",
        ),
        (Dialect::Messages, "/v1/messages/", "/v1/messages/"),
        (Dialect::Chat, "/chat/completions/", "/v1/chat/completions/"),
        (
            Dialect::Responses,
            "/backend-api/codex/responses/",
            "/backend-api/codex/responses/",
        ),
        (Dialect::Responses, "/openai/v1/responses", "/v1/responses"),
        (
            Dialect::Chat,
            "/openai/deployments/gpt/chat/completions?api-version=2024-10-21",
            "/openai/deployments/gpt/chat/completions?api-version=2024-10-21",
        ),
        (
            Dialect::Responses,
            "/openai/responses?api-version=2025-03-01-preview",
            "/openai/responses?api-version=2025-03-01-preview",
        ),
    ] {
        let (decision, asked) = asked_for(&stage, dialect, path).await;
        assert_eq!(
            (decision.as_str(), asked.as_str()),
            ("compressed", target),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_api_of_a_chatgpt_login_is_asked_without_a_version() {
    let provider = Provider::start().await;
    let base = format!("{}/backend-api/codex", provider.url());
    let stage = Stage::embedded(|it| patient(it).set("OPENAI_TARGET_API_URL", &base)).await;
    for path in [
        "/v1/responses",
        "/responses",
        "/backend-api/codex/responses",
    ] {
        let conversation = Conversation::new(Dialect::Responses, path)
            .user("Read it.")
            .reads(1, 20_000);
        let answer = stage
            .send(&Call::post(path, conversation.body().bytes))
            .await;
        assert_eq!(answer.decision(), "compressed", "{path}");
        answer.bytes().await;
        assert_eq!(
            provider.next().await.target,
            "/backend-api/codex/responses",
            "{path}"
        );
    }
}

#[tokio::test]
async fn azure_is_asked_below_the_path_of_its_base() {
    let provider = Provider::start().await;
    let base = format!("{}/openai", provider.url());
    let stage = Stage::embedded(|it| patient(it).set("OPENAI_TARGET_API_URL", &base)).await;
    for (dialect, path) in [
        (Dialect::Responses, "/openai/v1/responses"),
        (
            Dialect::Chat,
            "/openai/deployments/gpt/chat/completions?api-version=2024-10-21",
        ),
    ] {
        let conversation = Conversation::new(dialect, path)
            .user("Read it.")
            .reads(1, 20_000);
        let call = Call::post(path, conversation.body().bytes).header("api-key", "azure");
        let answer = stage.send(&call).await;
        assert_eq!(answer.decision(), "compressed", "{path}");
        answer.bytes().await;
        assert_eq!(provider.next().await.target, path);
    }
}

#[tokio::test]
async fn a_key_goes_to_its_own_provider_or_nowhere() {
    let stage = Stage::embedded(patient).await;
    let other = Provider::start().await;
    let stage_of_two =
        Stage::embedded(|it| patient(it).set("OPENAI_TARGET_API_URL", other.url())).await;
    for (path, name, value) in [
        ("/v1/chat/completions", "x-api-key", "sk-ant-1"),
        ("/v1/responses", "authorization", "Bearer sk-ant-oat01-1"),
        ("/openai/v1/models", "x-api-key", "sk-ant-1"),
        ("/backend-api/codex/responses", "x-api-key", "sk-ant-1"),
        ("/v1/messages", "authorization", "Bearer sk-proj-1"),
        ("/anthropic/v1/messages", "x-api-key", "sk-proj-1"),
        ("/openai/v1/messages", "x-api-key", "sk-ant-1"),
    ] {
        let call =
            Call::post(path, r#"{"model":"m","messages":[],"input":[]}"#).header(name, value);
        let answer = stage_of_two.send(&call).await;
        assert_eq!(answer.status(), 421, "{path} {value}");
        let said = answer.bytes().await;
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(
            said.contains("is sent nowhere") && !said.contains(value),
            "{said}"
        );
    }
    for path in [
        "/v1/models",
        "/v1/messages",
        "/v1/responses",
        "/openai/v1/models",
    ] {
        let call = Call::post(path, "{}").header("authorization", "Bearer sk-proj-1");
        let answer = stage_of_two
            .send(&call.header("x-api-key", "sk-ant-1"))
            .await;
        assert_eq!(answer.status(), 421, "{path}");
    }
    assert_eq!((stage_of_two.provider.untaken(), other.untaken()), (0, 0));
    // A path below a provider's name is that provider's, whatever its end is another's for.
    let call = Call::post("/anthropic/v1/chat/completions", "{}").header("x-api-key", "sk-ant-1");
    assert_eq!(stage_of_two.send(&call).await.status(), 200);
    assert_eq!(
        stage_of_two.provider.next().await.target,
        "/v1/chat/completions"
    );
    // A key of no provider's form may be a gateway's.
    let call = Call::post("/v1/messages", "{}").header("authorization", "Bearer sk-or-v1-1");
    assert_eq!(stage.send(&call).await.status(), 200);
}
