//! Undoing a request's `content-encoding`, to look into its body.

use std::io::Read;

use bytes::Bytes;
use http::{HeaderMap, header};

/// The body as it reads when its `content-encoding` is undone; `None` if that can't be done within `limit` bytes. Without an
/// encoding it is the body itself.
pub(crate) fn decoded(body: &Bytes, headers: &HeaderMap, limit: usize) -> Option<Bytes> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let (encoding, more) = (encodings.next(), encodings.next());
    if more.is_some() {
        return None;
    }
    let Some(encoding) = encoding else {
        return Some(body.clone());
    };
    let mut plain = Vec::new();
    let bound = limit as u64 + 1;
    let raw = body.as_ref();
    match encoding.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
        "identity" | "" => return Some(body.clone()),
        "gzip" | "x-gzip" => flate2::read::MultiGzDecoder::new(raw)
            .take(bound)
            .read_to_end(&mut plain),
        "deflate" => flate2::read::ZlibDecoder::new(raw)
            .take(bound)
            .read_to_end(&mut plain),
        "br" => brotli::Decompressor::new(raw, 4096)
            .take(bound)
            .read_to_end(&mut plain),
        "zstd" => zstd::stream::read::Decoder::new(raw)
            .ok()?
            .take(bound)
            .read_to_end(&mut plain),
        _ => return None,
    }
    .ok()?;
    (plain.len() <= limit).then(|| Bytes::from(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&vec![b' '; 1 << 20]).unwrap();
        let packed = Bytes::from(packer.finish().unwrap());
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        assert_eq!(decoded(&packed, &headers, 1 << 20).unwrap().len(), 1 << 20);
        assert!(decoded(&packed, &headers, (1 << 20) - 1).is_none());
        assert!(decoded(&Bytes::from_static(b"{}"), &headers, 100).is_none());
    }
}
