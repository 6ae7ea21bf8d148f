//! Many event streams at once: how late does each event come, and how late the first byte?

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::args::Args;
use crate::cores;
use crate::figures::{Report, Streams, micros, percentile};
use crate::provider::head;
use crate::targets::{Running, Store, Target};

/// Time between two events of a stream.
const INTERVAL: Duration = Duration::from_millis(100);
/// Events of a stream. Those of the first second are not counted: the streams begin in it.
const EVENTS: u32 = 40;
const NOT_COUNTED: u32 = 10;

const BODY: &str = r#"{"model":"claude-opus-4-6","max_tokens":32000,"stream":true,"messages":[{"role":"user","content":"Tell a long story."}]}"#;

/// What the streams of one target showed, in µs.
#[derive(Debug, Default)]
struct Seen {
    first_bytes: Vec<f64>,
    chunks: Vec<f64>,
}

/// Measures direct, nginx, the proxy with compression off, and the proxy at work, one after the other.
pub(crate) async fn measure(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let provider = listener.local_addr()?.to_string();
    let mut streaming = JoinSet::new();
    streaming.spawn(provide(listener));
    let mut targets = vec![Running::direct(&provider)];
    targets.extend(Running::nginx(&provider, report.own_core).await?);
    for target in [Target::Off, Target::KnownPrefix] {
        let wrapper = cores::alone(report.own_core);
        let which = (wrapper, args.baseline.as_deref());
        targets.extend(Running::proxies(target, Store::Redis, &provider, which).await);
    }
    let mut direct = None;
    for running in targets {
        let seen = streams(running.address(), args.streams).await?;
        let figures = [
            percentile(&seen.first_bytes, 50),
            percentile(&seen.first_bytes, 99),
            percentile(&seen.chunks, 50),
            percentile(&seen.chunks, 99),
        ];
        let base = *direct.get_or_insert(figures);
        report.streams.push(Streams {
            target: running.target,
            build: running.build,
            streams: args.streams,
            first_byte_p50_us: figures[0],
            first_byte_p99_us: figures[1],
            chunk_p50_us: figures[2],
            chunk_p99_us: figures[3],
            added_first_byte_p50_us: figures[0] - base[0],
            added_first_byte_p99_us: figures[1] - base[1],
            added_chunk_p50_us: figures[2] - base[2],
            added_chunk_p99_us: figures[3] - base[3],
            rss_mb: running.memory_mb().1,
        });
    }
    Ok(())
}

async fn streams(address: &str, count: u32) -> anyhow::Result<Seen> {
    let mut reading = JoinSet::new();
    for stream in 0..count {
        let address = address.to_owned();
        // Spread evenly over the interval, as streams that know nothing of each other are.
        let later = INTERVAL * stream / count;
        reading.spawn(async move {
            tokio::time::sleep(later).await;
            read(&address).await
        });
    }
    let mut all = Seen::default();
    while let Some(seen) = reading.join_next().await {
        let seen = seen??;
        all.first_bytes.extend(seen.first_bytes);
        all.chunks.extend(seen.chunks);
    }
    Ok(all)
}

/// Asks for one stream and reads it. An event says when it was sent, in ns of this process's clock.
async fn read(address: &str) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    let mut stream = TcpStream::connect(address)
        .await
        .context("no connection for a stream")?;
    stream.set_nodelay(true)?;
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nanthropic-version: 2023-06-01\r\nx-api-key: test-key\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let began = Instant::now();
    stream.write_all(request.as_bytes()).await?;
    let (mut held, mut buffer) = (Vec::new(), vec![0; 4096]);
    let mut events = 0;
    while events < EVENTS {
        let read = stream.read(&mut buffer).await?;
        anyhow::ensure!(read > 0, "a stream ended after {events} events");
        if seen.first_bytes.is_empty() {
            seen.first_bytes.push(micros(began.elapsed()));
        }
        held.extend_from_slice(&buffer[..read]);
        let now = now_ns();
        while let Some(end) = held.windows(2).position(|window| window == b"\n\n") {
            let event: Vec<u8> = held.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&event);
            let sent = text
                .split_once("\"sent\":")
                .and_then(|(_, rest)| rest.split_once('}'));
            let sent: u64 = sent
                .and_then(|(sent, _)| sent.parse().ok())
                .context("an event without its time")?;
            events += 1;
            if events > NOT_COUNTED {
                seen.chunks
                    .push(micros(Duration::from_nanos(now.saturating_sub(sent))));
            }
        }
    }
    Ok(seen)
}

async fn provide(listener: TcpListener) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(write(stream));
    }
}

async fn write(mut stream: TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let (mut held, mut buffer) = (Vec::new(), vec![0; 4096]);
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        held.extend_from_slice(&buffer[..read]);
        if head(&held).is_some_and(|head| held.len() >= head.end + head.body) {
            held.clear();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
                .await?;
            let mut ticks = tokio::time::interval(INTERVAL);
            for _ in 0..EVENTS {
                ticks.tick().await;
                let event = format!(
                    "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\" a few words\"}},\"sent\":{}}}\n\n",
                    now_ns()
                );
                let chunk = format!("{:x}\r\n{event}\r\n", event.len());
                stream.write_all(chunk.as_bytes()).await?;
            }
            stream.write_all(b"0\r\n\r\n").await?;
        }
    }
}

/// The time on a clock that all of this process shares.
fn now_ns() -> u64 {
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let passed = BEGAN.get_or_init(Instant::now).elapsed();
    u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
}
