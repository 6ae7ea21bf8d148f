//! A request as a provider gets it.

use std::io::Write as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};

use super::request_body::RequestBody;
use crate::http1::write_fields;

/// What most heads fit in.
const HEAD: usize = 1 << 10;

/// A request that is ready to be written.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) head: Bytes,
    pub(super) body: RequestBody,
}

impl Request {
    /// Writes the head. What it says of its host and of the body's length is this connection's, whatever the headers say.
    pub(super) fn new(
        (method, target): (Method, &str),
        host: &HeaderValue,
        mut headers: HeaderMap,
        body: RequestBody,
    ) -> Self {
        let mut head = Vec::with_capacity(HEAD);
        // Writing to a vector does not fail.
        let _ = write!(head, "{method} {target} HTTP/1.1\r\nhost: ");
        head.extend_from_slice(host.as_bytes());
        head.extend_from_slice(b"\r\n");
        headers.remove(header::HOST);
        headers.remove(header::TRANSFER_ENCODING);
        let said = headers.remove(header::CONTENT_LENGTH).is_some();
        match body.length() {
            None => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            Some(0) if !said && !expects_body(&method) => {}
            Some(length) => {
                let _ = write!(head, "content-length: {length}\r\n");
            }
        }
        write_fields(&mut head, &headers);
        Self {
            method,
            head: head.into(),
            body,
        }
    }
}

/// Whether a request of this method says that it has no body, too (RFC 9110, section 8.6).
fn expects_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::splice::Rope;
    use axum::body::Body;

    fn head(method: Method, headers: &[(&'static str, &'static str)], body: RequestBody) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let host = HeaderValue::from_static("h:1");
        let request = Request::new((method, "/v1/x?y"), &host, map, body);
        String::from_utf8(request.head.to_vec()).unwrap()
    }

    #[test]
    fn the_head_says_how_long_the_body_is() {
        let whole = |text: &'static str| {
            RequestBody::Whole(Rope::from(Bytes::from_static(text.as_bytes())))
        };
        let streamed = || RequestBody::Streamed(Body::from("hello"));
        let endless =
            || RequestBody::Streamed(Body::from_stream(Body::from("hello").into_data_stream()));
        for (method, headers, body, lines) in [
            (
                Method::GET,
                &[("host", "a"), ("x", "1")][..],
                whole(""),
                "x: 1\r\n",
            ),
            (
                Method::GET,
                &[("content-length", "0")],
                whole(""),
                "content-length: 0\r\n",
            ),
            (Method::POST, &[], whole(""), "content-length: 0\r\n"),
            (Method::DELETE, &[], whole(""), ""),
            (Method::DELETE, &[], whole("hello"), "content-length: 5\r\n"),
            (
                Method::POST,
                &[
                    ("content-length", "7"),
                    ("content-length", "7"),
                    ("transfer-encoding", "chunked"),
                ],
                whole("hello"),
                "content-length: 5\r\n",
            ),
            (Method::GET, &[], streamed(), "content-length: 5\r\n"),
            (
                Method::GET,
                &[("content-length", "5")],
                endless(),
                "transfer-encoding: chunked\r\n",
            ),
        ] {
            let start = format!("{method} /v1/x?y HTTP/1.1\r\nhost: h:1\r\n");
            let head = head(method, headers, body);
            assert_eq!(head, format!("{start}{lines}\r\n"));
        }
    }
}
