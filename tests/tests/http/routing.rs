//! What is refused because it does not say clearly where it is to go.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::stage::Stage;
use headroom_tests::wait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The status line of the response to a request that is written like this.
async fn status(stage: &Stage, request: &str) -> String {
    let mut stream = TcpStream::connect(stage.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = vec![0; 12];
    wait::soon("a response", stream.read_exact(&mut response))
        .await
        .unwrap();
    String::from_utf8(response).unwrap()
}

#[tokio::test]
async fn a_request_names_one_host() {
    let stage = Stage::embedded(|launch| launch).await;
    for (first_line, hosts, expected) in [
        ("GET /livez HTTP/1.1", "", "400"),
        ("GET /v1/models HTTP/1.1", "", "400"),
        ("GET /v1/models HTTP/1.1", "host: a\r\nhost: b\r\n", "400"),
        ("GET /livez HTTP/1.1", "host: a\r\nhost: a\r\n", "400"),
        ("GET /livez HTTP/1.1", "host: a\r\n", "200"),
        ("GET /livez HTTP/1.0", "", "200"),
        ("GET /v1/models HTTP/1.1", "host: a\r\n", "200"),
    ] {
        let request = format!("{first_line}\r\n{hosts}connection: close\r\n\r\n");
        let status = status(&stage, &request).await;
        assert_eq!(&status[9..], expected, "{first_line} {hosts}");
    }
    let body = r#"{"messages":[]}"#;
    let head = format!("content-length: {}\r\n\r\n{body}", body.len());
    let posted = format!("POST /v1/messages HTTP/1.1\r\n{head}");
    assert_eq!(&status(&stage, &posted).await[9..], "400");
    assert_eq!(stage.provider.next().await.path(), "/v1/models");
    assert_eq!(stage.provider.untaken(), 0);
}

#[tokio::test]
async fn no_path_climbs_above_the_provider_s_base() {
    let stage = Stage::embedded(|launch| launch).await;
    for path in [
        "/v1/../../admin",
        "/v1/%2e%2e/../admin",
        "/v1/..%2f../admin",
        "/openai/../admin",
        "/anthropic/%2e%2e/admin",
        "/..",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        assert_eq!(&status(&stage, &request).await[9..], "400", "{path}");
    }
    assert_eq!(stage.provider.untaken(), 0);
}

#[tokio::test]
async fn the_tenant_s_name_goes_no_further() {
    let tenants =
        |launch: headroom_tests::process::Launch| launch.set("HEADROOM_TENANT_HEADER", "x-tenant");
    let stage = Stage::embedded(tenants).await;
    let call = Conversation::new(Dialect::Messages, "s")
        .user("hello")
        .call();
    let models = Call::get("/v1/models");
    for call in [call, models] {
        let named = call.clone().header("x-tenant", "one");
        assert_eq!(stage.send(&named).await.status(), 200);
        let received = stage.provider.next().await;
        assert_eq!(received.header("x-tenant"), Vec::<&str>::new());
        let twice = named.header("x-tenant", "two");
        assert_eq!(stage.send(&twice).await.status(), 400);
    }
    assert_eq!(stage.provider.untaken(), 0);
}

#[tokio::test]
async fn a_credential_that_names_the_tenant_reaches_the_provider() {
    let tenants =
        |launch: headroom_tests::process::Launch| launch.set("HEADROOM_TENANT_HEADER", "x-api-key");
    let stage = Stage::embedded(tenants).await;
    let key = Call::get("/v1/models").header("x-api-key", "sk-ant-1");
    assert_eq!(stage.send(&key).await.status(), 200);
    assert_eq!(
        stage.provider.next().await.header("x-api-key"),
        ["sk-ant-1"]
    );
}

#[tokio::test]
async fn a_page_in_a_browser_gets_nothing() {
    let stage = Stage::embedded(|launch| launch).await;
    let rebound = "GET /stats HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert_eq!(&status(&stage, rebound).await[9..], "403");
    assert_eq!(stage.send(&Call::get("/stats")).await.status(), 200);
    let call = Conversation::new(Dialect::Messages, "s")
        .user("hello")
        .call();
    let foreign = call.clone().header("origin", "https://evil.example");
    assert_eq!(stage.send(&foreign).await.status(), 403);
    assert_eq!(stage.provider.untaken(), 0);
    let own = call.header("origin", "http://localhost:3000");
    assert_eq!(stage.send(&own).await.status(), 200);
}
