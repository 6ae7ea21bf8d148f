//! Removes the headers that are meant for one hop only (RFC 9110, section 7.6.1).

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::header_list::items;

/// Headers that are for one connection only, whether or not `Connection` names them.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// The same, but without a constant of their own.
const HOP_BY_HOP_NAMES: [&str; 2] = ["keep-alive", "proxy-connection"];

/// Keeps the headers that are meant for the other end, in their order and as often as they occur. `Expect` is handled by this hop's own
/// server; a length beside a transfer coding is not the body's (RFC 9112, section 6.3).
pub(crate) fn end_to_end(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(items)
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .collect();
    let accepted = headers.get_all(header::TE).iter();
    let trailers = accepted.flat_map(items).any(|item| item == b"trailers");
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
    for name in HOP_BY_HOP_NAMES {
        headers.remove(name);
    }
    headers.remove(header::EXPECT);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_are_removed() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret-Hop"),
            ("x-secret-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers, deflate"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("upgrade", "h2c"),
            ("x-multi", "a"),
            ("x-multi", "b"),
            ("authorization", "Bearer t"),
        ] {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        end_to_end(&mut headers);
        let kept: Vec<(&str, &[u8])> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        assert_eq!(kept.len(), 4, "{kept:?}");
        assert_eq!(headers.get_all("x-multi").iter().count(), 2);
        assert_eq!(headers["te"], "trailers");
        assert_eq!(headers["authorization"], "Bearer t");
    }
}
