//! A client that leaves takes its request with it, at once, and leaves nothing behind in the proxy.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::time::{Duration, Instant};

use headroom_tests::http::{Call, Http2};
use headroom_tests::raw::{BODY, PATHS, Socket, Stage, post};
use headroom_tests::wait;

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
/// Rounds over all paths.
const ROUNDS: usize = 10;
/// What the middle one of many disconnects may take to reach the provider. Single ones are held up by the machine's other work.
const AT_ONCE: Duration = Duration::from_millis(100);

/// What may be kept of sockets and threads, whatever the number of requests.
const FEW: usize = 8;
/// How long the proxy waits at a stop for requests that are on their way.
const DRAIN: Duration = Duration::from_secs(25);

/// How a client leaves.
#[derive(Debug, Clone, Copy)]
enum Leaves {
    Closing,
    Resetting,
}

/// When it leaves.
#[derive(Debug, Clone, Copy)]
enum When {
    BeforeTheAnswer,
    InTheStream,
}

/// Lets the provider read a request and begin its answer if it comes to that.
async fn serve(stage: &Stage, when: When) -> Socket {
    let mut upstream = stage.got().await;
    if matches!(when, When::InTheStream) {
        upstream.write(STREAM).await;
    }
    upstream
}

async fn over_http1(stage: &Stage, path: &str, when: When, leaves: Leaves) -> Duration {
    let mut client = Socket::connect(&stage.proxy.addr()).await;
    client.write(post(path, "")).await;
    let mut upstream = serve(stage, when).await;
    if matches!(when, When::InTheStream) {
        client.head().await.expect("an answer");
        client.take(10).await;
    }
    let left = Instant::now();
    match leaves {
        Leaves::Closing => drop(client),
        Leaves::Resetting => client.reset(),
    }
    upstream.rest().await;
    left.elapsed()
}

async fn over_http2(stage: &Stage, client: &Http2, path: &str, when: When) -> Duration {
    let call = Call::post(path, BODY);
    let mut sending = Box::pin(client.try_send(&call));
    let (left, mut upstream) = match when {
        When::BeforeTheAnswer => {
            let upstream = tokio::select! {
                _ = &mut sending => unreachable!("an answer that nobody gave"),
                upstream = serve(stage, when) => upstream,
            };
            let left = Instant::now();
            drop(sending);
            (left, upstream)
        }
        When::InTheStream => {
            let (answer, upstream) = tokio::join!(sending, serve(stage, when));
            let mut answer = answer.expect("an answer");
            assert_eq!(answer.chunk().await.expect("a piece"), "hello");
            let left = Instant::now();
            drop(answer);
            (left, upstream)
        }
    };
    upstream.rest().await;
    left.elapsed()
}

/// Asserts that the middle one is quick, and prints it.
#[expect(
    clippy::print_stderr,
    reason = "figures for whoever reads the test's output"
)]
fn assert_quick(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let (middle, longest) = (took[took.len() / 2], took[took.len() - 1]);
    eprintln!(
        "{what}: {} disconnects, middle {middle:?}, longest {longest:?}",
        took.len()
    );
    assert!(middle < AT_ONCE, "{what}: {took:?}");
}

#[tokio::test]
async fn the_provider_learns_at_once_over_http1() {
    let stage = Stage::start().await;
    for when in [When::BeforeTheAnswer, When::InTheStream] {
        for leaves in [Leaves::Closing, Leaves::Resetting] {
            let mut took = Vec::new();
            for round in 0..ROUNDS * PATHS.len() {
                took.push(over_http1(&stage, PATHS[round % PATHS.len()], when, leaves).await);
            }
            assert_quick(&format!("HTTP/1.1 {when:?} {leaves:?}"), took);
        }
    }
}

#[tokio::test]
async fn the_provider_learns_at_once_over_http2() {
    let stage = Stage::start().await;
    let client = Http2::connect(&stage.proxy.addr()).await;
    for when in [When::BeforeTheAnswer, When::InTheStream] {
        let mut took = Vec::new();
        for round in 0..ROUNDS * PATHS.len() {
            took.push(over_http2(&stage, &client, PATHS[round % PATHS.len()], when).await);
        }
        assert_quick(&format!("HTTP/2 {when:?}"), took);
    }
}

#[tokio::test]
async fn a_request_cut_off_in_its_body_reaches_the_provider_as_none() {
    let stage = Stage::start().await;
    for path in PATHS {
        for framing in ["content-length: 100", "transfer-encoding: chunked"] {
            let mut client = Socket::connect(&stage.proxy.addr()).await;
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n");
            client.write(format!("{head}5\r\nhello\r\n")).await;
            if path == "/v1/files" {
                // It is passed on as it comes, and then as the broken thing it is.
                let mut upstream = stage.provider.next().await;
                upstream.head().await.expect("a head");
                drop(client);
                let (bytes, _) = upstream.rest().await;
                assert!(
                    bytes.len() < 100 && !bytes.ends_with(b"0\r\n\r\n"),
                    "{bytes:?}"
                );
            } else {
                drop(client);
            }
        }
    }
    // A whole one goes on, and it is the first that the provider sees of a dialect's.
    let mut client = Socket::connect(&stage.proxy.addr()).await;
    client
        .write("POST /v1/messages?whole HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        .await;
    let mut upstream = stage.provider.next().await;
    let asked = upstream.message().await.expect("a request");
    assert_eq!(asked.start, "POST /v1/messages?whole HTTP/1.1");
    assert!(stage.provider.quiet().await);
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let mut stage = Stage::start().await;
    let client = Http2::connect(&stage.proxy.addr()).await;
    client.send(&Call::get("/livez")).await.bytes().await;
    let (sockets, threads) = (stage.proxy.sockets(), stage.proxy.figure("Threads"));
    for _ in 0..ROUNDS {
        for path in PATHS {
            for when in [When::BeforeTheAnswer, When::InTheStream] {
                over_http1(&stage, path, when, Leaves::Closing).await;
                over_http1(&stage, path, when, Leaves::Resetting).await;
                over_http2(&stage, &client, path, when).await;
            }
        }
    }
    // 240 requests: what is kept ready for the next ones is less by far.
    stage.proxy.until_sockets(sockets + FEW).await;
    let now = stage.proxy.figure("Threads");
    assert!(now <= threads + FEW as u64, "{now} threads, not {threads}");
    drop(client);
    // A stop waits for what is still to be done for any request: nothing.
    let stopping = Instant::now();
    assert!(stage.proxy.terminate(wait::DEADLINE).await.success());
    assert!(
        stopping.elapsed() < DRAIN / 2,
        "it drained {:?}",
        stopping.elapsed()
    );
}
