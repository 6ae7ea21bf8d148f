//! What each client is given, and what can't be run.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use headroom_tests::ports::free_port;
use headroom_tests::process::Launch;
use headroom_tests::provider::Provider;

use super::{Client, is_gone, run, wrap};

#[tokio::test]
async fn a_command_runs_through_a_proxy_that_is_started_for_it() {
    let provider = Provider::start().await;
    let client = Client::new("client", r#"ask "$ANTHROPIC_BASE_URL"; echo said; exit 7"#);
    let launch = wrap(Launch::proxy(&provider), &client).args(&["one", "--tier", "two words"]);
    let output = launch.run().await;
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "said\n");
    assert_eq!(client.read("args"), "one\n--tier\ntwo words\n");
    let base = client.variable("ANTHROPIC_BASE_URL").unwrap();
    assert!(base.starts_with("http://127.0.0.1:"), "{base}");
    assert_eq!(
        client.variable("OPENAI_BASE_URL"),
        Some(format!("{base}/v1"))
    );
    let answer = client.read("answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("x-headroom-decision: "), "{answer}");
    assert_eq!(provider.next().await.path(), "/v1/messages");
    let said = String::from_utf8(output.stderr).unwrap();
    let [line] = said.lines().collect::<Vec<_>>()[..] else {
        panic!("{said}")
    };
    assert!(
        line.starts_with("headroom: cost $") && line.contains("; 1 request"),
        "{line}"
    );
    assert!(!line.contains("all clients"), "{line}");
    is_gone(&base).await;
}

#[tokio::test]
async fn claude_code_is_given_the_address_and_the_tool() {
    let provider = Provider::start().await;
    let client = Client::new("claude", "exit 0");
    let args = [
        "wrap",
        "--tier",
        "recoverable",
        "claude",
        "-p",
        "--tier",
        "fix it",
    ];
    let launch = client.in_path(Launch::proxy(&provider)).args(&args);
    let (code, said) = run(&launch).await;
    assert_eq!(
        (code, said.as_str()),
        (0, "headroom: no request went through the proxy\n")
    );
    let base = client.variable("ANTHROPIC_BASE_URL").unwrap();
    assert_eq!(
        client.variable("ENABLE_TOOL_SEARCH").as_deref(),
        Some("true")
    );
    let tool = format!(
        "--mcp-config={{\"mcpServers\":{{\"headroom\":{{\"type\":\"http\",\"url\":\"{base}/mcp\"}}}}}}"
    );
    assert_eq!(client.read("args"), format!("{tool}\n-p\n--tier\nfix it\n"));
}

#[tokio::test]
async fn codex_is_given_a_provider() {
    let provider = Provider::start().await;
    let client = Client::new("codex", "exit 0");
    let launch = client
        .in_path(Launch::proxy(&provider))
        .set("OPENAI_API_KEY", "sk-1");
    let (code, _) = run(&launch.args(&["wrap", "codex", "exec", "fix it"])).await;
    assert_eq!(code, 0);
    let args = client.read("args");
    let args: Vec<&str> = args.lines().collect();
    assert_eq!(args[..3], ["-c", "model_provider=\"headroom\"", "-c"]);
    let provider = args[3];
    assert!(
        provider.contains("base_url=\"http://127.0.0.1:") && provider.contains("env_key="),
        "{provider}"
    );
    assert_eq!(args[4..], ["exec", "fix it"]);
}

#[tokio::test]
async fn what_can_t_be_run_or_started_is_told() {
    let provider = Provider::start().await;
    let launch = Launch::proxy(&provider).args(&["wrap", "--", "no-such-client"]);
    let (code, said) = run(&launch).await;
    assert_eq!(code, 127);
    assert!(
        said.starts_with("headroom: can't run no-such-client: "),
        "{said}"
    );

    let no_program = Client::new("client", "exit 0");
    fs::set_permissions(no_program.file("client"), Permissions::from_mode(0o644)).unwrap();
    let (code, said) = run(&wrap(Launch::proxy(&provider), &no_program)).await;
    assert_eq!(code, 126, "{said}");

    let client = Client::new("client", "exit 0");
    let launch = Launch::proxy(&provider).set("HEADROOM_PRICES", "/no/such.toml");
    let (code, said) = run(&wrap(launch, &client)).await;
    assert_eq!(code, 1);
    assert!(
        said.contains("HEADROOM_PRICES (or --prices)") && said.contains("wrap.log"),
        "{said}"
    );
    assert!(!client.file("args").exists());
    // The folder is free for the next one.
    let launch = Launch::proxy(&provider).set("HEADROOM_PORT", free_port());
    assert_eq!(run(&wrap(launch, &client)).await.0, 0);
}
