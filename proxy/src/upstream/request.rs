//! Builds the request that goes to a provider: its request line, host and framing headers.

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body::Body as _;

use super::request_body::RequestBody;

/// Builds a request. Its `Host` and its body's length are set here, whatever the headers say.
pub(super) fn request(
    (method, target): (Method, PathAndQuery),
    host: &HeaderValue,
    mut headers: HeaderMap,
    body: RequestBody,
) -> Request<RequestBody> {
    headers.insert(header::HOST, host.clone());
    headers.remove(header::TRANSFER_ENCODING);
    let had_length = headers.remove(header::CONTENT_LENGTH).is_some();
    match body.size_hint().exact() {
        // Set here, because hyper takes a GET of unknown length to have no body.
        None => {
            let chunked = HeaderValue::from_static("chunked");
            headers.insert(header::TRANSFER_ENCODING, chunked);
        }
        Some(0) if !had_length && !expects_body(&method) => {}
        Some(length) => {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
    }
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(target);
    *request.headers_mut() = headers;
    request
}

/// Whether a request of this method has a `Content-Length` even where it has no body (RFC 9110, section 8.6).
fn expects_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::splice::Rope;
    use axum::body::Body;
    use bytes::Bytes;

    #[test]
    fn the_head_says_how_long_the_body_is() {
        let whole = |text: &'static str| {
            RequestBody::Whole(Rope::from(Bytes::from_static(text.as_bytes())))
        };
        let streamed = || RequestBody::Streamed(Body::from("hello"));
        let endless =
            || RequestBody::Streamed(Body::from_stream(Body::from("hello").into_data_stream()));
        let (length, chunked) = (
            Some("content-length: 0"),
            Some("transfer-encoding: chunked"),
        );
        let five = Some("content-length: 5");
        let said = &[
            ("content-length", "7"),
            ("content-length", "7"),
            ("transfer-encoding", "chunked"),
        ][..];
        for (method, headers, body, line) in [
            (Method::GET, &[("host", "a")][..], whole(""), None),
            (Method::GET, &[("content-length", "0")], whole(""), length),
            (Method::POST, &[], whole(""), length),
            (Method::DELETE, &[], whole(""), None),
            (Method::DELETE, &[], whole("hello"), five),
            (Method::POST, said, whole("hello"), five),
            (Method::GET, &[], streamed(), five),
            (Method::GET, &[("content-length", "5")], endless(), chunked),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, HeaderValue::from_static(value));
            }
            let host = HeaderValue::from_static("h:1");
            let target = PathAndQuery::from_static("/v1/x?y");
            let request = request((method.clone(), target), &host, map, body);
            let lines = request.headers().iter();
            let lines: Vec<String> = lines
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .filter(|line| line != "host: h:1")
                .collect();
            assert_eq!(lines, Vec::from_iter(line), "{method} {headers:?}");
            assert_eq!(request.uri(), "/v1/x?y");
            assert_eq!(request.headers().get_all(header::HOST).iter().count(), 1);
        }
    }
}
