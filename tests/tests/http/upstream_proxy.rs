//! Providers behind an HTTP proxy that the environment names: tunnels to them, and what is said where there is none.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;

use headroom_tests::connect_proxy::{ConnectProxy, Policy};
use headroom_tests::http::Call;
use headroom_tests::ports::free_port;
use headroom_tests::process::{Launch, Process};
use headroom_tests::provider::Provider;
use headroom_tests::raw::BODY;
use headroom_tests::tls_provider::{TlsProvider, answer_ok, through};
use tokio::io::AsyncWriteExt as _;

/// `me` and `hunter2`, as they are sent.
const BASIC: &str = "Basic bWU6aHVudGVyMg==";

/// A provider under a name that the proxy alone can resolve, and the program that is to reach it.
async fn provider() -> (TlsProvider, Launch) {
    let provider = TlsProvider::listen("api.example", &["http/1.1"]).await;
    let launch = provider.launch(&provider.ca);
    let launch = ["ANTHROPIC_TARGET_API_URL", "OPENAI_TARGET_API_URL"]
        .iter()
        .fold(launch, |launch, name| {
            launch.set(name, "https://api.example")
        });
    (provider, launch)
}

/// Status and message of the answer to a request in a dialect, whose shape an error has.
async fn refusal(program: &Process, path: &str) -> (u16, String) {
    let answer = Call::post(path, BODY).send(&program.addr()).await;
    let status = answer.status();
    let error = answer.json().await;
    let message = error["error"]["message"].as_str();
    let shape = ["type", "code"].map(|name| error["error"][name].as_str().unwrap_or_default());
    let known = [["api_error", ""], ["server_error", "bad_gateway"]];
    assert_eq!(shape, known[usize::from(path != "/v1/messages")], "{error}");
    (status, message.expect("a message").to_owned())
}

#[tokio::test]
async fn a_tunnel_is_made_once_and_kept_warm() {
    let (provider, launch) = provider().await;
    let proxy = ConnectProxy::to("api.example:443", provider.port()).await;
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let before = proxy.asked().len();
        let program = launch
            .clone()
            .set(variable, format!("http://{}", proxy.addr()))
            .start()
            .await;
        let addr = program.addr();
        let serving = async {
            let mut stream = provider.next().await.expect("TLS");
            for _ in 0..3 {
                let asked = answer_ok(&mut stream, BODY).await;
                assert!(asked.contains("\r\nhost: api.example\r\n"), "{asked}");
                assert!(asked.contains("\r\nx-api-key: sk-secret\r\n"), "{asked}");
            }
        };
        let asking = async {
            for path in ["/v1/messages", "/v1/messages", "/v1/models"] {
                let call = Call::post(path, BODY).header("x-api-key", "sk-secret");
                let answer = call.send(&addr).await;
                assert_eq!((answer.status(), answer.bytes().await), (200, "ok".into()));
            }
        };
        tokio::join!(serving, asking);
        let tunnel = "CONNECT api.example:443 HTTP/1.1\r\nhost: api.example:443\r\n\r\n";
        assert_eq!(proxy.asked()[before..], [tunnel], "{variable}");
        program.logged(&proxy.addr(), 1).await;
    }
}

#[tokio::test]
async fn credentials_are_for_the_proxy_alone() {
    let (provider, launch) = provider().await;
    let proxy = ConnectProxy::start(Policy {
        targets: BTreeMap::from([("api.example:443".to_owned(), provider.port())]),
        credentials: Some(BASIC.to_owned()),
    })
    .await;
    let launch = |password| {
        let url = format!("http://me:{password}@{}", proxy.addr());
        launch.clone().set("HTTPS_PROXY", url)
    };
    let mut program = launch("hunter2").set("HEADROOM_LOG", "trace").start().await;
    let addr = program.addr();
    let call = Call::post("/v1/responses", BODY);
    let serving = async {
        let mut stream = provider.next().await.expect("TLS");
        answer_ok(&mut stream, BODY).await
    };
    let (asked, answer) = tokio::join!(serving, call.send(&addr));
    assert_eq!(answer.status(), 200);
    assert!(!asked.contains("proxy-authorization"), "{asked}");
    assert_eq!(proxy.asked().len(), 1);
    let log = program.whole_log().await;
    assert!(!log.contains("hunter2") && !log.contains("bWU6"), "{log}");

    let mut program = launch("hunter3").set("HEADROOM_LOG", "trace").start().await;
    let (status, message) = refusal(&program, "/v1/messages").await;
    assert_eq!(status, 502);
    let names = [&proxy.addr(), "api.example:443", "407 Proxy Authentication"];
    assert!(
        names.iter().all(|name| message.contains(*name)),
        "{message}"
    );
    for said in [message, program.whole_log().await] {
        assert!(
            !said.contains("hunter3") && !said.contains("bWU6"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_its_status_and_the_proxy_s_name() {
    let (_provider, launch) = provider().await;
    let proxy = ConnectProxy::start(Policy::default()).await;
    let url = format!("http://{}", proxy.addr());
    let program = launch.set("HTTPS_PROXY", url).start().await;
    for path in ["/v1/messages", "/v1/chat/completions", "/v1/models"] {
        let (status, message) = refusal(&program, path).await;
        let refused = format!(
            "headroom-proxy: api.example did not answer: the proxy {} refused CONNECT to api.example:443 with 403 Forbidden",
            proxy.addr()
        );
        assert_eq!((status, message), (502, refused));
    }
}

#[tokio::test]
async fn a_proxy_that_is_away_is_told_by_its_name() {
    let (_provider, launch) = provider().await;
    let addr = format!("127.0.0.1:{}", free_port());
    let url = format!("http://me:hunter2@{addr}");
    let mut program = launch.set("HTTPS_PROXY", url).start().await;
    let (status, message) = refusal(&program, "/v1/messages").await;
    assert_eq!(status, 502);
    let away = format!("api.example did not answer: the proxy {addr} can't be reached: ");
    assert!(message.contains(&away), "{message}");
    assert!(message.contains("refused"), "{message}");
    for said in [message, program.whole_log().await] {
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn plain_http_goes_through_a_tunnel_too() {
    let provider = Provider::start().await;
    let target = provider.url().replace("http://", "");
    let port = target.rsplit(':').next().and_then(|port| port.parse().ok());
    let proxy = ConnectProxy::to(&target, port.expect("a port")).await;
    let launch = Launch::proxy(&provider).set("HTTP_PROXY", proxy.addr());
    let program = launch.start().await;
    for _ in 0..2 {
        let answer = Call::post("/v1/messages", BODY).send(&program.addr()).await;
        assert_eq!(answer.status(), 200);
        answer.bytes().await;
    }
    let tunnel = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n");
    assert_eq!(proxy.asked(), [tunnel]);
}

#[tokio::test]
async fn a_proxy_may_be_spoken_to_by_tls() {
    let proxy = TlsProvider::listen("127.0.0.1", &["http/1.1"]).await;
    let url = format!("https://127.0.0.1:{}", proxy.port());
    let launch = Launch::proxy_to("http://api.example").set("HTTP_PROXY", url);
    let trusted = proxy.ca.path().display();
    let program = launch.set("SSL_CERT_FILE", trusted).start().await;
    let addr = program.addr();
    let call = Call::post("/v1/messages", BODY);
    let serving = async {
        let mut stream = proxy.next().await.expect("TLS");
        let asked = through(&mut stream, "\r\n\r\n").await;
        assert!(
            asked.starts_with("CONNECT api.example:80 HTTP/1.1\r\n"),
            "{asked}"
        );
        let made = b"HTTP/1.0 200 OK\r\nvia: x\r\n\r\n";
        stream.write_all(made).await.expect("a reader");
        stream.flush().await.expect("a reader");
        answer_ok(&mut stream, BODY).await
    };
    let (asked, answer) = tokio::join!(serving, call.send(&addr));
    assert!(asked.starts_with("POST /v1/messages "), "{asked}");
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn what_no_proxy_lists_is_reached_directly() {
    let provider = Provider::start().await;
    let away = format!("http://127.0.0.1:{}", free_port());
    for exempt in ["127.0.0.1", "example, 127.0.0.0/8", "*"] {
        let launch = Launch::proxy(&provider).set("ALL_PROXY", &away);
        let program = launch.set("NO_PROXY", exempt).start().await;
        let answer = Call::post("/v1/messages", BODY).send(&program.addr()).await;
        assert_eq!(answer.status(), 200, "{exempt}");
    }
    // Loopback is no exception of its own.
    let launch = Launch::proxy(&provider).set("ALL_PROXY", &away);
    let program = launch.set("NO_PROXY", "example").start().await;
    assert_eq!(refusal(&program, "/v1/messages").await.0, 502);
}

#[tokio::test]
async fn a_proxy_that_can_t_be_used_is_refused_at_start() {
    let (_provider, launch) = provider().await;
    let launch = launch.set("ALL_PROXY", "socks5://me:hunter2@127.0.0.1:1");
    let output = launch.run().await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("ALL_PROXY is (not shown): takes http://"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
    // It counts for nobody here.
    let mut exempt = launch.clone().set("NO_PROXY", "api.example").start().await;
    assert!(!exempt.whole_log().await.contains("hunter2"));
    launch
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .start()
        .await;
}
