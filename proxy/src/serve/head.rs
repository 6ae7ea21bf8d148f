//! Whether a request is plain: one of a dialect's, in the one form in which nearly all of them come, and beyond any doubt. Plain
//! ones are served here; what is to be done about all others is hyper's to know.

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Uri, header};

use crate::dialect::{DIALECTS, Dialect};
use crate::http1::{MOST_FIELDS, fields};

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
    let mut parsed = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut parsed);
    let size = match request.parse(head) {
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
    let length = length.to_str().ok()?;
    let digits = length.bytes().all(|byte| byte.is_ascii_digit());
    length.parse().ok().filter(|_| digits)
}

/// Whether a request asks more of its connection than to be kept.
fn unusual(headers: &HeaderMap) -> bool {
    let more = [header::TRANSFER_ENCODING, header::EXPECT, header::UPGRADE];
    let mut connection = headers.get_all(header::CONNECTION).iter();
    more.iter().any(|name| headers.contains_key(name))
        || connection.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"keep-alive"))
}
