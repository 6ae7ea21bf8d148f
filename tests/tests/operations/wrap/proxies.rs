//! Which proxy the client asks.

use std::path::Path;

use headroom_tests::process::Launch;
use headroom_tests::provider::Provider;
use headroom_tests::stage::Stage;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Client, code, is_gone, run, wrap};

#[tokio::test]
async fn a_proxy_that_runs_is_used() {
    let mut stage = Stage::embedded(|launch| launch).await;
    let addr = stage.addr();
    let client = Client::new("client", r#"ask "$ANTHROPIC_BASE_URL"; exit 0"#);
    let port = addr.rsplit(':').next().unwrap().to_owned();
    let by_address = Launch::proxy(&stage.provider).set("HEADROOM_PORT", port);
    let folder = folder_of(&mut stage).await;
    let by_folder = Launch::proxy(&stage.provider).set("HEADROOM_DATA_DIR", folder);
    let by_variable =
        Launch::proxy(&stage.provider).set("ANTHROPIC_BASE_URL", format!("http://{addr}"));
    for (number, launch) in [by_address, by_folder, by_variable].into_iter().enumerate() {
        let (code, said) = run(&wrap(launch, &client)).await;
        assert_eq!(code, 0, "{said}");
        assert_eq!(
            client.variable("ANTHROPIC_BASE_URL"),
            Some(format!("http://{addr}"))
        );
        assert!(
            said.contains("(all clients of this proxy); 1 request"),
            "{said}"
        );
        assert_eq!(stage.stats().await["requests"]["total"], number as u64 + 1);
    }
    assert!(!stage.proxy().has_ended());
}

/// The data folder of a stage's proxy, as its log says it.
async fn folder_of(stage: &mut Stage) -> String {
    let log = stage.proxy().logged("data.dir=", 1).await;
    let rest = log
        .split("data.dir=")
        .nth(1)
        .unwrap_or_else(|| panic!("{log}"));
    let folder = rest.split_whitespace().next().unwrap();
    assert!(Path::new(folder).is_dir(), "{folder}");
    folder.to_owned()
}

#[tokio::test]
async fn two_commands_share_a_proxy_which_outlives_the_first() {
    let provider = Provider::start().await;
    let first = Client::new(
        "client",
        r#"touch "$here/ready"; wait_for go; ask "$ANTHROPIC_BASE_URL""#,
    );
    let second = Client::new(
        "client",
        r#"touch "$here/ready"; wait_for go; ask "$ANTHROPIC_BASE_URL""#,
    );
    let launch = Launch::proxy(&provider);
    let mut one = wrap(launch.clone(), &first).spawn();
    first.has("ready").await;
    let mut two = wrap(launch, &second).spawn();
    second.has("ready").await;
    let base = first.variable("ANTHROPIC_BASE_URL").unwrap();
    assert_eq!(second.variable("ANTHROPIC_BASE_URL"), Some(base.clone()));
    first.allow("go");
    assert_eq!(code(&mut one).await, Some(0), "{}", one.log());
    assert!(
        one.log().contains("all clients of this proxy"),
        "{}",
        one.log()
    );
    second.allow("go");
    assert_eq!(code(&mut two).await, Some(0), "{}", two.log());
    assert!(second.read("answer").starts_with("HTTP/1.1 200 "));
    is_gone(&base).await;
}

#[tokio::test]
async fn a_port_that_another_program_has_is_no_obstacle() {
    let provider = Provider::start().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut hangs_up = JoinSet::new();
    hangs_up.spawn(async move {
        loop {
            drop(taken.accept().await);
        }
    });
    let client = Client::new("client", r#"ask "$ANTHROPIC_BASE_URL""#);
    let launch = Launch::proxy(&provider).set("HEADROOM_PORT", port);
    let (code, said) = run(&wrap(launch, &client)).await;
    assert_eq!(code, 0, "{said}");
    let base = client.variable("ANTHROPIC_BASE_URL").unwrap();
    assert!(!base.ends_with(&format!(":{port}")), "{base}");
    assert!(client.read("answer").starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_gateway_of_the_user_s_is_where_the_proxy_sends() {
    let (gateway, provider) = (Provider::start().await, Provider::start().await);
    let client = Client::new("client", r#"ask "$ANTHROPIC_BASE_URL""#);
    let launch = Launch::proxy(&provider)
        .unset("ANTHROPIC_TARGET_API_URL")
        .set("ANTHROPIC_BASE_URL", gateway.url());
    let (code, said) = run(&wrap(launch.clone(), &client)).await;
    assert_eq!(code, 0, "{said}");
    // It is asked first whether it is such a proxy itself.
    let asked = [gateway.next().await, gateway.next().await];
    assert_eq!(
        asked.each_ref().map(|it| it.path()),
        ["/stats", "/v1/messages"]
    );
    assert!(asked[0].header("authorization").is_empty());

    // A proxy that runs and sends elsewhere is told, and nothing is sent there.
    let stage = Stage::embedded(|launch| launch).await;
    let port = stage.addr().rsplit(':').next().unwrap().to_owned();
    let by_client = launch.set("HEADROOM_PORT", &port);
    let by_setting = Launch::proxy_to(&gateway.url()).set("HEADROOM_PORT", &port);
    for (launch, by) in [
        (by_client, "ANTHROPIC_BASE_URL"),
        (by_setting, "ANTHROPIC_TARGET_API_URL"),
    ] {
        let (code, said) = run(&wrap(launch, &client)).await;
        assert_eq!(code, 1);
        let [sends, wanted] = [stage.provider.url(), gateway.url()];
        let says = format!("sends to {sends}, and {by} says {wanted}");
        assert!(said.contains(&says), "{said}");
    }
    assert_eq!(stage.stats().await["requests"]["total"], 0);
}
