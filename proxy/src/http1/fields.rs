//! The fields of a head.

use http::{HeaderMap, HeaderName, HeaderValue};
use httparse::Header;

/// How many fields a head may have.
pub(crate) const MOST_FIELDS: usize = 128;

/// The fields that were parsed, in their order; `None` where one has a name or a value that HTTP does not allow.
pub(crate) fn fields(parsed: &[Header<'_>]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(parsed.len());
    for field in parsed {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    Some(headers)
}

/// The number that `word` is, in digits alone: no sign, no space.
pub(crate) fn decimal(word: &[u8]) -> Option<u64> {
    if !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The words of a field whose value is a list, such as `close, te`.
pub(crate) fn words(value: &HeaderValue) -> impl DoubleEndedIterator<Item = &[u8]> {
    let words = value.as_bytes().split(|byte| *byte == b',');
    words.map(<[u8]>::trim_ascii)
}

/// Writes fields, and the empty line that ends a head.
pub(crate) fn write_fields(head: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_they_were_read() {
        let head = b"a: 1\r\nb: \xff x\r\na: 2\r\n\r\n";
        let mut parsed = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let status = httparse::parse_headers(head, &mut parsed).unwrap();
        let (_, parsed) = status.unwrap();
        let mut written = Vec::new();
        write_fields(&mut written, &fields(parsed).unwrap());
        assert_eq!(written, b"a: 1\r\na: 2\r\nb: \xff x\r\n\r\n");
    }
}
