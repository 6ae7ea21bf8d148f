//! A hub as Hugging Face's, with one repository, which answers on a port of this machine.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;
use sha2::{Digest as _, Sha256};

/// The repository that it has.
pub(crate) const REPOSITORY: &str = "owner/a-model";
/// Its newest commit.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub that answers until the test ends.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    addr: SocketAddr,
    files: Files,
    requests: Arc<Mutex<Vec<String>>>,
}

/// A file's bytes, and the tag that the hub gives it, by its path.
type Files = Arc<Mutex<BTreeMap<String, (Vec<u8>, String)>>>;

impl Hub {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hub = Self {
            addr: listener.local_addr().unwrap(),
            files: Files::default(),
            requests: Arc::default(),
        };
        let answering = hub.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let hub = answering.clone();
                std::thread::spawn(move || hub.answer_all(stream));
            }
        });
        hub
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Adds a file; its tag is its digest, as with large files.
    pub(crate) fn add(&self, path: &str, bytes: &[u8]) {
        let digest = Sha256::digest(bytes);
        let tag = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.add_tagged(path, bytes, tag);
    }

    pub(crate) fn add_tagged(&self, path: &str, bytes: &[u8], tag: String) {
        let mut files = self.files.lock().unwrap();
        files.insert(path.to_owned(), (bytes.to_owned(), tag));
    }

    /// The paths that were asked for.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    fn answer_all(&self, stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut to = stream;
        while let Some(Ok(request)) = lines.next() {
            let headers: Vec<String> = lines
                .by_ref()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let path = request.split(' ').nth(1).unwrap().to_owned();
            let answer = self.answer(&path, &headers);
            self.requests.lock().unwrap().push(path);
            if to.write_all(&answer).is_err() {
                return;
            }
        }
    }

    fn answer(&self, path: &str, headers: &[String]) -> Vec<u8> {
        let files = self.files.lock().unwrap();
        if path == format!("/api/models/{REPOSITORY}/revision/main") {
            let siblings: Vec<_> = files
                .keys()
                .map(|path| json!({"rfilename": path}))
                .collect();
            let info = json!({"sha": COMMIT, "siblings": siblings}).to_string();
            return answer(
                "200 OK",
                "content-type: application/json\r\n",
                info.as_bytes(),
            );
        }
        let file = path.strip_prefix(&format!("/{REPOSITORY}/resolve/{COMMIT}/"));
        let Some((bytes, tag)) = file.and_then(|file| files.get(file)) else {
            return answer("404 Not Found", "", b"");
        };
        let (first, last) = range(headers, bytes.len());
        let more = format!(
            "etag: \"{tag}\"\r\nx-repo-commit: {COMMIT}\r\ncontent-range: bytes {first}-{last}/{}\r\n",
            bytes.len()
        );
        answer("206 Partial Content", &more, &bytes[first..=last])
    }
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The first and last byte that are asked for.
fn range(headers: &[String], length: usize) -> (usize, usize) {
    let range = headers.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_range = name.eq_ignore_ascii_case("range");
        value.strip_prefix("bytes=").filter(|_| is_range)
    });
    let (first, last) = range.and_then(|range| range.split_once('-')).unwrap();
    (first.parse().unwrap(), last.parse().unwrap_or(length - 1))
}
