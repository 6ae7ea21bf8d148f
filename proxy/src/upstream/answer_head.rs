//! The head of a provider's answer, and what it says of the body (RFC 9112, sections 4 and 6.3).

use std::mem::MaybeUninit;

use bytes::{Buf as _, BytesMut};
use http::{HeaderMap, Method, Response, StatusCode, header};
use httparse::ParserConfig;
use hyper::ext::ReasonPhrase;

use super::failure::Failure;
use super::framing::Framing;
use crate::http1::{Dechunk, MOST_FIELDS, decimal, fields, words};

/// How long a head may be.
pub(super) const MOST_HEAD: usize = 128 << 10;

/// The head of an answer.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub(super) response: Response<()>,
    pub(super) framing: Framing,
    /// Whether the next request may follow on its connection.
    pub(super) is_kept: bool,
}

impl AnswerHead {
    /// Takes the head of the answer to a request of `method` off the front of what was read, and the announcements before it;
    /// `None` where it is not all there.
    ///
    /// # Errors
    /// When what was read is no head.
    pub(super) fn take(method: &Method, read: &mut BytesMut) -> Result<Option<Self>, Failure> {
        while let Some((length, head)) = parse(method, read)? {
            if length == read.len() {
                *read = BytesMut::new();
            } else {
                read.advance(length);
            }
            let status = head.response.status();
            if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Some(head));
            }
        }
        if read.len() > MOST_HEAD {
            return Err(Failure::LongHead);
        }
        Ok(None)
    }
}

/// The head that `read` begins with, and its length.
fn parse(method: &Method, read: &[u8]) -> Result<Option<(usize, AnswerHead)>, Failure> {
    let mut parsed = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut answer = httparse::Response::new(&mut []);
    let parsing =
        ParserConfig::default().parse_response_with_uninit_headers(&mut answer, read, &mut parsed);
    let httparse::Status::Complete(length) = parsing.map_err(Failure::Head)? else {
        return Ok(None);
    };
    if length > MOST_HEAD {
        return Err(Failure::LongHead);
    }
    let code = answer.code.unwrap_or_default();
    let status = StatusCode::from_u16(code).map_err(|_| Failure::Field)?;
    let headers = fields(answer.headers).ok_or(Failure::Field)?;
    let is_old = answer.version != Some(1);
    let framing = framing(method, status, &headers, is_old)?;
    let is_kept =
        !is_old && *method != Method::CONNECT && !any_word(&headers, header::CONNECTION, "close");
    let mut response = Response::new(());
    if let Some(reason) = answer.reason
        && status.canonical_reason() != Some(reason)
        && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
    {
        response.extensions_mut().insert(reason);
    }
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let head = AnswerHead {
        response,
        framing,
        is_kept,
    };
    Ok(Some((length, head)))
}

/// Where the body ends.
fn framing(
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
    is_old: bool,
) -> Result<Framing, Failure> {
    let is_bare = status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
        || (status.is_success() && *method == Method::CONNECT);
    if is_bare || *method == Method::HEAD {
        return Ok(Framing::Length(0));
    }
    // A length beside a coding is not the body's.
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(last) = codings.next_back() {
        if is_old {
            return Err(Failure::Coding);
        }
        let is_chunked = words(last)
            .next_back()
            .is_some_and(|word| is(word, "chunked"));
        return Ok(if is_chunked {
            Framing::Chunks(Dechunk::new())
        } else {
            Framing::UntilClosed
        });
    }
    Ok(length(headers)?.map_or(Framing::UntilClosed, Framing::Length))
}

/// What `Content-Length` says, as often as it says the same.
fn length(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let mut length = None;
    let said = headers.get_all(header::CONTENT_LENGTH).iter();
    for word in said.flat_map(words) {
        let said = decimal(word).ok_or(Failure::Length)?;
        if length.is_some_and(|length| length != said) {
            return Err(Failure::Length);
        }
        length = Some(said);
    }
    Ok(length)
}

/// Whether a word is among those of a header.
fn any_word(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    let mut all = headers.get_all(name).iter().flat_map(words);
    all.any(|one| is(one, word))
}

fn is(word: &[u8], other: &str) -> bool {
    word.eq_ignore_ascii_case(other.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(method: &Method, head: &str) -> Result<Option<AnswerHead>, Failure> {
        AnswerHead::take(method, &mut head.as_bytes().into())
    }

    /// Checks how the end of the body is known of an answer of these lines, and whether its connection is kept.
    fn check(method: &Method, lines: &str, framing: &str, is_kept: bool) {
        let whole = format!("HTTP/{}\r\n\r\n", lines.replace('|', "\r\n"));
        let head = take(method, &whole).unwrap().unwrap();
        let told = match head.framing {
            Framing::Length(length) => length.to_string(),
            Framing::Chunks(_) => "chunks".to_owned(),
            Framing::UntilClosed => "closed".to_owned(),
        };
        let told = (told.as_str(), head.is_kept);
        assert_eq!(told, (framing, is_kept), "{method} {lines}");
        for cut in 0..whole.len() {
            let part = take(method, &whole[..cut]).unwrap();
            assert!(part.is_none(), "{method} {lines} {cut}");
        }
    }

    #[test]
    fn the_fields_say_where_the_body_ends() {
        let post = |lines, framing| check(&Method::POST, lines, framing, true);
        post("1.1 200 OK", "closed");
        post("1.1 200 OK|content-length: 5", "5");
        post("1.1 200 OK|content-length: 5|content-length: 05", "5");
        post("1.1 200 OK|content-length: 5, 5", "5");
        post("1.1 200 OK|transfer-encoding: Chunked", "chunks");
        let both = "1.1 200 OK|transfer-encoding: chunked|content-length: x";
        post(both, "chunks");
        post("1.1 200 OK|transfer-encoding: gzip, chunked", "chunks");
        let two = "1.1 200 OK|transfer-encoding: gzip|transfer-encoding: chunked";
        post(two, "chunks");
        post("1.1 200 OK|transfer-encoding: chunked, gzip", "closed");
        let other = "1.1 200 OK|transfer-encoding: xchunked|content-length: 5";
        post(other, "closed");
        let announced =
            "1.1 100 Continue||HTTP/1.1 103 Hints|a: b||HTTP/1.1 200 OK|content-length: 5";
        post(announced, "5");
    }

    #[test]
    fn the_method_and_the_status_count_too() {
        let length = |line: &str| format!("{line}|content-length: 5");
        for (method, line, framing) in [
            (Method::HEAD, "1.1 200 OK", "0"),
            (Method::GET, "1.1 204 No Content", "0"),
            (Method::GET, "1.1 304 Not Modified", "0"),
            (Method::GET, "1.1 101 Switching Protocols", "0"),
            (Method::GET, "1.1 205 Reset Content", "5"),
        ] {
            check(&method, &length(line), framing, true);
        }
        check(&Method::CONNECT, &length("1.1 200 OK"), "0", false);
        check(&Method::CONNECT, &length("1.1 404 No"), "5", false);
    }

    #[test]
    fn a_connection_is_kept_unless_it_is_said_to_close() {
        for lines in [
            "1.0 200 OK",
            "1.0 200 OK|connection: keep-alive",
            "1.1 200 OK|connection: x, Close",
            "1.1 200 OK|connection: x|connection: close|connection: keep-alive",
        ] {
            let lines = format!("{lines}|content-length: 5");
            check(&Method::POST, &lines, "5", false);
        }
    }

    #[test]
    fn what_is_no_head_is_an_error() {
        let fields: String = (0..=MOST_FIELDS)
            .map(|at| format!("x-{at}: 1\r\n"))
            .collect();
        let long = format!("x: {}\r\n", "y".repeat(MOST_HEAD));
        for head in [
            "SSH-2.0-OpenSSH_9.9",
            "HTTP/2 200 OK\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 099 Odd\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\n",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            &format!("HTTP/1.1 200 OK\r\n{fields}\r\n"),
            &format!("HTTP/1.1 200 OK\r\n{long}\r\n"),
            &format!("HTTP/1.1 200 OK\r\n{long}"),
        ] {
            assert!(
                take(&Method::GET, head).is_err(),
                "{}",
                &head[..head.len().min(80)]
            );
        }
    }

    #[test]
    fn a_reason_of_its_own_is_kept() {
        for (line, reason) in [
            ("200 OK", None),
            ("200 Quite Alright", Some("Quite Alright")),
            ("500 ", Some("")),
        ] {
            let head = take(&Method::GET, &format!("HTTP/1.1 {line}\r\n\r\n"));
            let head = head.unwrap().unwrap();
            let kept = head.response.extensions().get::<ReasonPhrase>();
            assert_eq!(kept.map(ReasonPhrase::as_bytes), reason.map(str::as_bytes));
        }
    }
}
