//! A request that names its upstream in `x-headroom-base-url` goes there where that is allowed, and otherwise nowhere.

use headroom_tests::conversation::{Conversation, Dialect};
use headroom_tests::http::Call;
use headroom_tests::process::{Launch, Process};
use headroom_tests::provider::Provider;
use headroom_tests::raw::{BODY, PATHS, Socket, Sockets};

const BASE_URL: &str = "x-headroom-base-url";
const ALLOWED: &str = "HEADROOM_ALLOWED_UPSTREAMS";

/// The provider of the settings, another one, and the proxy, which allows what `allowed` makes of the other's host and port.
async fn stage(allowed: impl FnOnce(&str) -> String) -> (Provider, Provider, Process) {
    let (usual, other) = (Provider::start().await, Provider::start().await);
    let allowed = allowed(&host(&other.url()));
    let launch = Launch::proxy(&usual).set(ALLOWED, allowed);
    let launch = launch.set("HEADROOM_ENTRY_BUDGET_MS", 5000);
    let proxy = launch.start().await;
    (usual, other, proxy)
}

/// Host and port of a URL.
fn host(url: &str) -> String {
    url.replace("http://", "")
}

#[tokio::test]
async fn an_allowed_upstream_gets_the_request_and_no_header_of_ours() {
    for port in [true, false] {
        let (usual, other, proxy) = stage(|host| match host.split_once(':') {
            Some((name, _)) if !port => name.to_owned(),
            _ => format!("api.example, {host}"),
        })
        .await;
        for path in PATHS {
            for (base, wanted) in [
                ("", path.to_owned()),
                ("/", path.to_owned()),
                ("/v1", path.to_owned()),
                ("/gateway/v1/", format!("/gateway{path}")),
            ] {
                let call = Call::post(path, BODY)
                    .header(BASE_URL, &format!("{}{base}", other.url()))
                    .header("authorization", "Bearer sk-secret");
                let answer = call.send(&proxy.addr()).await;
                assert_eq!(answer.status(), 200, "{path} {base}");
                answer.bytes().await;
                let got = other.next().await;
                assert_eq!(
                    (got.target.as_str(), &got.body[..]),
                    (&*wanted, BODY.as_bytes())
                );
                assert_eq!(got.header("host"), [host(&other.url())]);
                assert_eq!(got.header("authorization"), ["Bearer sk-secret"]);
                let mut names = got.headers.keys();
                assert!(!names.any(|name| name.as_str().starts_with("x-headroom-")));
            }
        }
        assert_eq!(usual.untaken(), 0);
        let call = Call::post("/v1/messages", BODY);
        assert_eq!(call.send(&proxy.addr()).await.status(), 200);
        assert_eq!((usual.untaken(), other.untaken()), (1, 0));
    }
}

#[tokio::test]
async fn what_goes_to_another_upstream_is_compressed_too() {
    let (_, other, proxy) = stage(str::to_owned).await;
    for dialect in Dialect::ALL {
        let conversation = Conversation::new(dialect, "named")
            .user("Read.")
            .reads(1, 9000);
        let sent = conversation.body().bytes.len();
        let call = conversation.call().header(BASE_URL, &other.url());
        let answer = call.send(&proxy.addr()).await;
        assert_eq!(answer.decision(), "compressed");
        assert!(other.next().await.body.len() < sent);
    }
}

#[tokio::test]
async fn any_other_is_refused_and_the_request_goes_nowhere() {
    let nothing = |_: &str| String::new();
    let neighbours =
        |host: &str| format!("localhost,{},127.0.0.1:1", host.replace("0.0.1", "0.0.2"));
    for (usual, other, mut proxy) in [stage(nothing).await, stage(neighbours).await] {
        let mut bases = vec![
            (other.url(), host(&other.url())),
            // The provider of the settings is no exception.
            (usual.url(), host(&usual.url())),
            (
                "https://api.example/v1".to_owned(),
                "api.example:443".to_owned(),
            ),
        ];
        let unreadable = [
            "nonsense",
            "",
            "ftp://localhost",
            "https://me:hunter2@localhost",
        ];
        bases.extend(unreadable.map(|base| (base.to_owned(), "takes a base URL".to_owned())));
        for (base, told) in bases {
            for path in PATHS {
                let call = Call::post(path, BODY).header(BASE_URL, &base);
                let call = match path {
                    "/v1/messages" => call.header("x-headroom-bypass", "1"),
                    _ => call,
                };
                let answer = call.send(&proxy.addr()).await;
                assert_eq!(answer.status(), 421, "{base} {path}");
                let error = answer.json().await;
                assert_eq!(error["error"]["type"], "invalid_request_error", "{error}");
                let is_anthropic = path == "/v1/messages";
                assert_eq!(error["type"] == "error", is_anthropic, "{error}");
                let message = error["error"]["message"].as_str().unwrap_or_default();
                assert!(
                    message.contains(BASE_URL) && message.contains(&told),
                    "{error}"
                );
                if told.contains(':') {
                    let set = format!("{ALLOWED}={told}");
                    assert!(message.contains(&set), "{error}");
                }
            }
        }
        assert_eq!((usual.untaken(), other.untaken()), (0, 0));
        let log = proxy.whole_log().await;
        assert!(!log.contains("hunter2"), "{log}");
    }
}

#[tokio::test]
async fn a_websocket_is_no_exception() {
    let (usual, other) = (Sockets::listen().await, Sockets::listen().await);
    let launch = Launch::proxy_to(&usual.url()).set(ALLOWED, host(&other.url()));
    let proxy = launch.start().await;
    for (base, status) in [(other.url(), 101), (usual.url(), 421)] {
        let mut client = Socket::connect(&proxy.addr()).await;
        let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\n\r\n";
        let head = format!("GET /v1/responses HTTP/1.1\r\nhost: x\r\n{BASE_URL}: {base}\r\n");
        client.write(format!("{head}{upgrade}")).await;
        if status == 101 {
            let mut upstream = other.next().await;
            let asked = upstream.head().await.expect("a request");
            assert_eq!(asked.header(BASE_URL), Vec::<String>::new());
            let agreed = format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}");
            upstream.write(agreed).await;
        }
        assert_eq!(client.head().await.expect("an answer").status(), status);
    }
    assert!(usual.quiet().await && other.quiet().await);
}

#[tokio::test]
async fn connections_are_kept_warm_for_each_upstream_alone() {
    let (usual, other) = (Sockets::listen().await, Sockets::listen().await);
    let launch = Launch::proxy_to(&usual.url()).set(ALLOWED, "127.0.0.1");
    let (proxy, mut warm) = (launch.start().await, Vec::new());
    let addr = proxy.addr();
    for round in 0..3 {
        for (at, sockets) in [&usual, &other].into_iter().enumerate() {
            let base = format!("{}/base-{round}", sockets.url());
            let call = Call::post("/v1/messages", BODY);
            let call = if at == 0 {
                call
            } else {
                call.header(BASE_URL, &base)
            };
            let serving = async {
                if round == 0 {
                    warm.push(sockets.next().await);
                }
                let socket = &mut warm[at];
                socket.message().await.expect("a request");
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                socket.write(answer).await;
            };
            let (answer, ()) = tokio::join!(call.send(&addr), serving);
            assert_eq!((answer.status(), answer.bytes().await), (200, "ok".into()));
        }
    }
    assert!(usual.quiet().await && other.quiet().await);
}
