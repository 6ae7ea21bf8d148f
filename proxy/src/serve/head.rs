//! Whether a request is plain: one of a dialect's, in the one form in which nearly all of them come, and beyond any doubt. Plain
//! ones are served here; what is to be done about all others is hyper's to know.

use std::mem::MaybeUninit;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Uri, header};

use crate::dialect::{DIALECTS, Dialect};
use crate::http1::{MOST_FIELDS, decimal, fields};

/// The longest head of a plain request.
const MOST_HEAD: usize = 64 << 10;
/// How every plain request begins.
const BEGINNING: &[u8] = b"POST /v1/";

/// The head of a plain request.
#[derive(Debug)]
pub(super) struct Head {
    /// How many bytes it is long.
    pub(super) size: usize,
    pub(super) dialect: &'static dyn Dialect,
    pub(super) parts: Parts,
    /// How many bytes the body has.
    pub(super) length: usize,
}

/// A request that is not plain, or can't be any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unplain;

/// Reads a head that comes bit by bit, and looks at each byte once until it is whole.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// Where the line begins that has not ended yet.
    line: usize,
    /// How far there is no end of it.
    seen: usize,
}

impl Heads {
    /// Reads the head that `bytes` begin with, which are those of the last time and more. `None` while it is not whole.
    ///
    /// # Errors
    /// When it is not plain, or the body is larger than `most_body`.
    pub(super) fn read(&mut self, bytes: &[u8], most_body: usize) -> Result<Option<Head>, Unplain> {
        let begun = bytes.len().min(BEGINNING.len());
        if bytes[..begun] != BEGINNING[..begun] {
            return Err(Unplain);
        }
        match self.end(bytes)? {
            Some(end) if end <= MOST_HEAD => {
                parse(&bytes[..end], most_body).map(Some).ok_or(Unplain)
            }
            None if bytes.len() < MOST_HEAD => Ok(None),
            _ => Err(Unplain),
        }
    }

    /// Where the head ends: behind the first empty line. A line that does not end as the standard has it is not plain.
    fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Unplain> {
        while let Some(at) = memchr::memchr(b'\n', &bytes[self.seen..]) {
            let end = self.seen + at;
            match bytes[self.line..end].strip_suffix(b"\r") {
                Some([]) => return Ok(Some(end + 1)),
                Some(_) => (self.line, self.seen) = (end + 1, end + 1),
                None => return Err(Unplain),
            }
        }
        self.seen = bytes.len();
        Ok(None)
    }
}

/// A whole head; `None` where it is not plain.
fn parse(head: &[u8], most_body: usize) -> Option<Head> {
    let mut parsed = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let size = match request.parse_with_uninit_headers(head, &mut parsed) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) | Err(_) => return None,
    };
    let target: PathAndQuery = request.path?.parse().ok()?;
    let is_asked = |dialect: &&&dyn Dialect| dialect.path() == target.path();
    let dialect = *DIALECTS.iter().find(is_asked)?;
    let headers = fields(request.headers)?;
    let length = length(&headers).filter(|length| *length <= most_body)?;
    let plain = request.version == Some(1)
        && size == head.len()
        && headers.get_all(header::HOST).iter().count() == 1
        && !unusual(&headers);
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::POST;
    parts.uri = Uri::from(target);
    parts.headers = headers;
    plain.then_some(Head {
        size,
        dialect,
        parts,
        length,
    })
}

/// The body's length, where it is said once and in digits alone.
fn length(headers: &HeaderMap) -> Option<usize> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let (Some(length), None) = (lengths.next(), lengths.next()) else {
        return None;
    };
    usize::try_from(decimal(length.as_bytes())?).ok()
}

/// Whether a request asks more of its connection than to be kept.
fn unusual(headers: &HeaderMap) -> bool {
    let more = [header::TRANSFER_ENCODING, header::EXPECT, header::UPGRADE];
    let mut connection = headers.get_all(header::CONNECTION).iter();
    more.iter().any(|name| headers.contains_key(name))
        || connection.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"keep-alive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plain head with these lines in it.
    fn head(lines: &str) -> String {
        format!("POST /v1/messages?a=b HTTP/1.1\r\nHost: x\r\n{lines}\r\n")
    }

    fn read(bytes: &[u8]) -> Result<Option<Head>, Unplain> {
        Heads::default().read(bytes, 1_000)
    }

    fn assert_unplain(bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let shown = String::from_utf8_lossy(bytes);
        let shown = shown.get(..200).unwrap_or(&shown);
        assert_eq!(read(bytes).err(), Some(Unplain), "{shown:?}");
    }

    #[test]
    fn plain() {
        for (lines, length) in [
            ("content-length: 0\r\n", 0),
            ("Content-Length:1000 \r\n", 1_000),
            ("content-length: 005\r\nconnection: Keep-Alive\r\n", 5),
            (
                "connection: keep-alive\r\nx-raw: \u{e9}\r\nx:\r\ncontent-length: 7\r\n",
                7,
            ),
        ] {
            let head = head(lines);
            let bytes = format!("{head}content-length: 9\r\n\r\n");
            let read = read(bytes.as_bytes()).unwrap().unwrap();
            assert_eq!((read.size, read.length), (head.len(), length), "{lines}");
            assert_eq!(read.dialect.path(), "/v1/messages");
            assert_eq!(read.parts.method, Method::POST);
            assert_eq!(read.parts.uri, "/v1/messages?a=b");
            assert_eq!(read.parts.headers["host"], "x");
        }
        for dialect in DIALECTS {
            let start = format!("POST {} HTTP/1.1\r\n", dialect.path());
            let head = format!("{start}content-length: 1\r\nhost: x\r\n\r\n");
            let read = read(head.as_bytes()).unwrap().unwrap();
            assert_eq!(read.dialect.path(), dialect.path());
        }
    }

    #[test]
    fn another_start_is_not_plain() {
        for start in [
            "GET /v1/messages HTTP/1.1",
            "PRI * HTTP/2.0",
            "post /v1/messages HTTP/1.1",
            "POST /v1/messages HTTP/1.0",
            "POST /v1/messages HTTP/1.2",
            "POST /v1/messages",
            "POST  /v1/messages HTTP/1.1",
            "POST /v1/messages  HTTP/1.1",
            "POST /v1/messages/ HTTP/1.1",
            "POST /v1/messages/batches HTTP/1.1",
            "POST /v1/Messages HTTP/1.1",
            "POST /v1/%6dessages HTTP/1.1",
            "POST //v1/messages HTTP/1.1",
            "POST /v1/./messages HTTP/1.1",
            "POST http://x/v1/messages HTTP/1.1",
            "POST /v1/messages?a b HTTP/1.1",
            "POST /v1/messages?\u{0} HTTP/1.1",
            "POST /v1/files HTTP/1.1",
            "\r\nPOST /v1/messages HTTP/1.1",
        ] {
            assert_unplain(format!(
                "{start}\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"
            ));
        }
    }

    #[test]
    fn other_lines_are_not_plain() {
        for lines in [
            "",
            "content-length: 1001\r\n",
            "content-length: 99999999999999999999\r\n",
            "content-length: 5\r\ncontent-length: 5\r\n",
            "content-length: 5, 5\r\n",
            "content-length: +5\r\n",
            "content-length: -5\r\n",
            "content-length: 5 5\r\n",
            "content-length: 0x5\r\n",
            "content-length:\r\n",
            "content-length: \u{665}\r\n",
            "content-length : 5\r\n",
            "transfer-encoding: chunked\r\n",
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "content-length: 5\r\nTransfer-Encoding:\r\n",
            "content-length: 5\r\nexpect: 100-continue\r\n",
            "content-length: 5\r\nupgrade: websocket\r\n",
            "content-length: 5\r\nconnection: close\r\n",
            "content-length: 5\r\nconnection: keep-alive, x-hop\r\n",
            "content-length: 5\r\nconnection: keep-alive\r\nConnection: upgrade\r\n",
            "content-length: 5\r\nconnection:\r\n",
            "content-length: 5\r\nhost: y\r\n",
            "content-length: 5\r\n folded: 1\r\n",
            "content-length: 5\r\nno colon\r\n",
            "content-length: 5\r\n: no name\r\n",
            "content-length: 5\r\na b: c\r\n",
            "content-length: 5\r\na: b\u{0}\r\n",
            "content-length: 5\r\na: b\u{7f}\r\n",
            "content-length: 5\r\na: b\rc\r\n",
            "content-length: 5\na: b\r\n",
            "content-length: 5\r\n\n",
        ] {
            assert_unplain(head(lines));
        }
        assert_unplain("POST /v1/messages HTTP/1.1\r\ncontent-length: 5\r\n\r\n");
        assert_unplain("POST /v1/messages HTTP/1.1\nhost: x\ncontent-length: 5\n\n");
        let many = "a: b\r\n".repeat(MOST_FIELDS - 1);
        assert_unplain(head(&format!("content-length: 5\r\n{many}")));
    }

    #[test]
    fn a_head_of_any_length_ends_somewhere() {
        let most = MOST_HEAD - head("content-length: 5\r\nlong: \r\n").len();
        let long = |length| {
            head(&format!(
                "content-length: 5\r\nlong: {}\r\n",
                "v".repeat(length)
            ))
        };
        assert!(read(long(most).as_bytes()).unwrap().is_some());
        assert_unplain(long(most + 1));
        assert_unplain(&long(2 * most).as_bytes()[..MOST_HEAD]);
    }

    #[test]
    fn what_is_not_whole_is_waited_for() {
        let head = head("content-length: 5\r\nx-a: b\r\n");
        let mut heads = Heads::default();
        for length in 0..head.len() {
            let bytes = &head.as_bytes()[..length];
            assert!(matches!(heads.read(bytes, 1_000), Ok(None)), "{length}");
        }
        assert!(heads.read(head.as_bytes(), 1_000).unwrap().is_some());
        // As soon as it can't be plain any more, nothing is waited for.
        for bytes in ["PR", "G", "POST /v2", "POST /v1/messages HTTP/1.1\n", "\r"] {
            assert_unplain(bytes);
        }
    }
}
