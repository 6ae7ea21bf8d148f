//! A provider that costs next to nothing: a thread a connection, one canned answer, and no look at what was asked.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use anyhow::Context as _;

/// Bytes that are read at once.
const STEP: usize = 256 << 10;

const ANSWER: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-6","content":[{"type":"text","text":"Understood."}],"stop_reason":"end_turn","usage":{"input_tokens":12,"cache_read_input_tokens":0,"cache_creation_input_tokens":0,"output_tokens":4}}"#;

/// Starts one on a free port of loopback; it ends with the process.
pub(crate) fn start() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || accept(&listener));
    Ok(address)
}

/// Serves at this address for as long as the process lives.
pub(crate) fn serve(address: &str) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address);
    accept(&listener.with_context(|| format!("can't listen on {address}"))?);
    Ok(())
}

fn accept(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        // A connection that ends is no failure.
        thread::spawn(move || answer_all(stream));
    }
}

fn answer_all(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let mut buffer = vec![0; STEP];
    let mut held = 0;
    loop {
        let head = loop {
            if let Some(head) = head(&buffer[..held]) {
                break head;
            }
            let read = stream.read(&mut buffer[held..])?;
            if read == 0 {
                return Ok(());
            }
            held += read;
        };
        let mut left = (head.end + head.body).saturating_sub(held);
        while left > 0 {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            left = left.saturating_sub(read);
        }
        held = 0;
        stream.write_all(answer.as_bytes())?;
    }
}

/// Where a message's head ends, and how long its body is.
pub(crate) struct Head {
    pub(crate) end: usize,
    pub(crate) body: usize,
}

/// The head that these bytes begin with, if all of it is there.
pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    Some(Head {
        end,
        body: length.unwrap_or(0),
    })
}
