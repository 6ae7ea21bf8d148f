//! Who does not read is not read ahead of: the proxy holds little, and the other side feels it.

use std::time::Duration;

use headroom_tests::http::{Call, Http2};
use headroom_tests::raw::{BODY, PATHS, Socket, Stage};

/// More than any buffers on the way hold.
const MUCH: usize = 64 << 20;
/// What the system's buffers and the proxy's may hold together: Linux lets a loopback connection's grow to 6 MiB for reading
/// and 4 MiB for writing, and there are two connections.
const HELD: usize = 32 << 20;
/// Of that, what the proxy's memory may grow by, in kB.
const GROWTH: u64 = 24 << 10;
/// When nothing was taken for so long, nothing more will be.
const PAUSE: Duration = Duration::from_millis(500);

/// A stage whose proxy has held this much memory at the start, in kB.
struct Measured {
    stage: Stage,
    memory: u64,
}

impl Measured {
    async fn start() -> Self {
        let stage = Stage::start().await;
        let memory = stage.proxy.figure("VmRSS");
        Self { stage, memory }
    }

    /// The provider sends as much as it can; gives how much that is.
    async fn pour(&self, upstream: &mut Socket) -> usize {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
        upstream
            .write(format!("{head}content-length: {MUCH}\r\n\r\n"))
            .await;
        let line = b"data: {\"type\":\"content_block_delta\"}\n\n";
        let much = line.repeat(MUCH / line.len());
        let taken = upstream.write_while_taken(&much, PAUSE).await;
        let grown = self.stage.proxy.figure("VmRSS").saturating_sub(self.memory);
        assert!(taken < HELD, "{taken} bytes were read ahead");
        assert!(grown < GROWTH, "the proxy grew by {grown} kB");
        taken
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_provider_up() {
    for path in PATHS {
        let measured = Measured::start().await;
        let (mut client, mut upstream) = measured.stage.asked(path).await;
        let taken = measured.pour(&mut upstream).await;
        // Nothing is lost: it reads on where it stopped.
        client.head().await.expect("an answer");
        client.take(taken).await;
    }
}

#[tokio::test]
async fn a_stream_of_http2_that_is_not_read_holds_its_provider_up_alone() {
    for path in PATHS {
        let measured = Measured::start().await;
        let stage = &measured.stage;
        let client = Http2::connect(&stage.proxy.addr()).await;
        let call = Call::post(path, BODY);
        let serving = async {
            let mut upstream = stage.got().await;
            let taken = measured.pour(&mut upstream).await;
            (upstream, taken)
        };
        let (mut answer, (_upstream, taken)) = tokio::join!(client.send(&call), serving);
        assert_eq!(client.send(&Call::get("/livez")).await.status(), 200);
        let mut read = 0;
        while read < taken {
            read += answer.chunk().await.expect("a piece").len();
        }
    }
}

#[tokio::test]
async fn a_provider_that_does_not_read_holds_the_client_up() {
    let Measured { stage, memory } = Measured::start().await;
    let mut client = Socket::connect(&stage.proxy.addr()).await;
    let head = "POST /v1/files HTTP/1.1\r\nhost: x\r\n";
    client
        .write(format!("{head}content-length: {MUCH}\r\n\r\n"))
        .await;
    let much = vec![b'x'; MUCH];
    let taken = client.write_while_taken(&much, PAUSE).await;
    let grown = stage.proxy.figure("VmRSS").saturating_sub(memory);
    assert!(taken < HELD, "{taken} bytes were read ahead");
    assert!(grown < GROWTH, "the proxy grew by {grown} kB");
    let mut upstream = stage.provider.next().await;
    upstream.head().await.expect("a request");
    upstream.take(taken).await;
}
