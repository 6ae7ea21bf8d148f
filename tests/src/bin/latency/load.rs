//! Clients with a connection each that send one request after the other.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::bodies::Body;
use crate::provider::head;

/// Longer than any request takes.
const LIMIT: Duration = Duration::from_secs(60);
/// A request below this size goes out in one write, as HTTP libraries do it.
const SMALL: usize = 16 << 10;

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    address: String,
    body: Body,
    sent: usize,
    answer: Vec<u8>,
}

impl Client {
    /// Connects.
    pub(crate) fn new(address: &str, body: Body) -> anyhow::Result<Self> {
        let stream =
            TcpStream::connect(address).with_context(|| format!("no connection to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(Self {
            stream,
            address: address.to_owned(),
            body,
            sent: 0,
            answer: vec![0; 16 << 10],
        })
    }

    /// Sends the request that makes the session's prefix known.
    pub(crate) fn begin(&mut self) -> anyhow::Result<()> {
        let head = self.head(self.body.before.len());
        self.stream.write_all(head.as_bytes())?;
        self.stream.write_all(&self.body.before)?;
        self.read(Instant::now()).map(drop)
    }

    /// Sends the session's next request and reads the answer; how long that took.
    pub(crate) fn exchange(&mut self) -> anyhow::Result<Duration> {
        self.sent += 1;
        self.body.renew(self.sent);
        let head = self.head(self.body.bytes.len());
        let began = Instant::now();
        if self.body.bytes.len() < SMALL {
            let whole = [head.as_bytes(), &self.body.bytes].concat();
            self.stream.write_all(&whole)?;
        } else {
            self.stream.write_all(head.as_bytes())?;
            self.stream.write_all(&self.body.bytes)?;
        }
        self.read(began)
    }

    fn head(&self, length: usize) -> String {
        let address = &self.address;
        format!(
            "POST /v1/messages?beta=true HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json\r\nanthropic-version: 2023-06-01\r\nanthropic-beta: claude-code-20250219\r\nx-api-key: test-key\r\nuser-agent: claude-cli/2.1.329\r\nx-claude-code-session-id: 0b5b2b6e-4d0c-4c39-9f1c-3c52c1c7b0aa\r\ncontent-length: {length}\r\n\r\n"
        )
    }

    fn read(&mut self, began: Instant) -> anyhow::Result<Duration> {
        let mut held = 0;
        loop {
            let read = self.stream.read(&mut self.answer[held..])?;
            if read == 0 {
                bail!("the connection was closed before the answer");
            }
            held += read;
            if let Some(head) = head(&self.answer[..held])
                && held >= head.end + head.body
            {
                let took = began.elapsed();
                if !self.answer.starts_with(b"HTTP/1.1 200") {
                    bail!("refused: {}", String::from_utf8_lossy(&self.answer[..held]));
                }
                return Ok(took);
            }
        }
    }

    /// What the proxy did with the last request: `x-headroom-decision`.
    pub(crate) fn decision(&self) -> String {
        let text = String::from_utf8_lossy(&self.answer);
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix("x-headroom-decision: "));
        value.unwrap_or_default().to_owned()
    }
}

/// What a turn of some clients took.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Of each request.
    pub(crate) times: Vec<Duration>,
    /// From the first request to the last answer.
    pub(crate) whole: Duration,
}

/// Lets each client send so many requests, all clients at the same time.
pub(crate) fn turn(clients: &mut [Client], requests: usize) -> anyhow::Result<Taken> {
    let send = |client: &mut Client| {
        (0..requests)
            .map(|_| client.exchange())
            .collect::<anyhow::Result<Vec<_>>>()
    };
    if let [client] = clients {
        let began = Instant::now();
        let times = send(client)?;
        return Ok(Taken {
            times,
            whole: began.elapsed(),
        });
    }
    let ready = Barrier::new(clients.len() + 1);
    thread::scope(|scope| {
        let sending: Vec<_> = clients
            .iter_mut()
            .map(|client| {
                scope.spawn(|| {
                    ready.wait();
                    send(client)
                })
            })
            .collect();
        ready.wait();
        let began = Instant::now();
        let mut times = Vec::new();
        for one in sending {
            match one.join() {
                Ok(sent) => times.extend(sent?),
                Err(_) => bail!("a client panicked"),
            }
        }
        Ok(Taken {
            times,
            whole: began.elapsed(),
        })
    })
}
