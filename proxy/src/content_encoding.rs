//! Decodes `content-encoding`, of whole bodies and of bodies that are still arriving.

use std::io::{self, Write};

use bytes::Bytes;
use http::{HeaderMap, header};
use zstd::stream::{raw, zio};

use crate::memory::{BodyMemory, MemoryBudget};

/// A writer that decodes what is written and passes it to another.
pub(crate) enum Decoder<W: Write> {
    Identity(W),
    Gzip(flate2::write::MultiGzDecoder<W>),
    Deflate(flate2::write::ZlibDecoder<W>),
    Brotli(Box<brotli::DecompressorWriter<W>>),
    Zstd(zio::Writer<W, raw::Decoder<'static>>),
}

impl<W: Write> Decoder<W> {
    /// The decoder for a body with these headers; `None` for an encoding that is not known, and for more than one.
    pub(crate) fn new(headers: &HeaderMap, inner: W) -> Option<Self> {
        let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(encoding) = encodings.next() else {
            return Some(Self::Identity(inner));
        };
        if encodings.next().is_some() {
            return None;
        }
        match encoding.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
            "identity" | "" => Some(Self::Identity(inner)),
            "gzip" | "x-gzip" => Some(Self::Gzip(flate2::write::MultiGzDecoder::new(inner))),
            "deflate" => Some(Self::Deflate(flate2::write::ZlibDecoder::new(inner))),
            "br" => Some(Self::Brotli(Box::new(brotli::DecompressorWriter::new(
                inner, 4096,
            )))),
            "zstd" => Some(Self::Zstd(zio::Writer::new(
                inner,
                raw::Decoder::new().ok()?,
            ))),
            _ => None,
        }
    }

    /// The inner writer, when all of the body was written; `None` where the body is incomplete.
    pub(crate) fn finish(self) -> Option<W> {
        match self {
            Self::Identity(inner) => Some(inner),
            Self::Gzip(decoder) => decoder.finish().ok(),
            Self::Deflate(decoder) => decoder.finish().ok(),
            Self::Brotli(decoder) => decoder.into_inner().ok(),
            Self::Zstd(mut decoder) => {
                decoder.finish().ok()?;
                Some(decoder.into_inner().0)
            }
        }
    }
}

impl<W: Write> Write for Decoder<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Identity(inner) => inner.write(data),
            Self::Gzip(decoder) => decoder.write(data),
            Self::Deflate(decoder) => decoder.write(data),
            Self::Brotli(decoder) => decoder.write(data),
            Self::Zstd(decoder) => decoder.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is decoded of a body may be so many times as large: JSON of an agent is 5 to 30 times as large as its encoding.
const MAX_RATIO: usize = 100;
/// Or this large, whatever its encoding has.
const ALWAYS_DECODED: usize = 1 << 20;
/// Memory is taken for so many bytes of a decoded body at once.
const GROWTH: usize = 256 << 10;

/// The decoded body; `None` if it can't be decoded within `limit` bytes, [`MAX_RATIO`] times its size and the memory that is left. Without
/// an encoding it is the body itself.
pub(crate) fn decoded(
    body: &Bytes,
    headers: &HeaderMap,
    (limit, budget): (usize, &MemoryBudget),
) -> Option<Bytes> {
    if !headers.contains_key(header::CONTENT_ENCODING) {
        return Some(body.clone());
    }
    let by_ratio = body.len().saturating_mul(MAX_RATIO).max(ALWAYS_DECODED);
    let decoded = Limited {
        bytes: Vec::new(),
        limit: limit.min(by_ratio),
        memory: budget.body().ok()?,
        reserved: 0,
    };
    let mut decoder = Decoder::new(headers, decoded)?;
    if matches!(decoder, Decoder::Identity(_)) {
        return Some(body.clone());
    }
    decoder.write_all(body).ok()?;
    let Limited { bytes, memory, .. } = decoder.finish()?;
    Some(memory.held_by(bytes))
}

/// A buffer that takes no more than `limit` bytes, and no more than there is memory for.
struct Limited {
    bytes: Vec<u8>,
    limit: usize,
    memory: BodyMemory,
    /// Bytes that memory was taken for.
    reserved: usize,
}

impl Write for Limited {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let length = self.bytes.len() + data.len();
        if length > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if length > self.reserved {
            let more = (length - self.reserved).max(GROWTH);
            self.memory
                .grow(more)
                .map_err(|_| io::ErrorKind::OutOfMemory)?;
            self.reserved += more;
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(body: &Bytes, headers: &HeaderMap, limit: usize) -> Option<Bytes> {
        decoded(body, headers, (limit, &MemoryBudget::new(64 << 20)))
    }

    fn headers(encoding: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_ENCODING, encoding.parse().unwrap())])
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_is_mostly_packing_is_not_unpacked() {
        let headers = headers("gzip");
        let packed = |megabytes: usize| Bytes::from(gzip(&vec![b' '; megabytes << 20]));
        assert!(decode(&packed(1), &headers, usize::MAX).is_some());
        assert!(decode(&packed(2), &headers, usize::MAX).is_none());
        let text = (0..200_000).fold(String::new(), |text, n| text + &n.to_string());
        let packed = Bytes::from(gzip(text.as_bytes()));
        let budget = MemoryBudget::new(2 << 20);
        assert!(decoded(&packed, &headers, (usize::MAX, &budget)).is_none());
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let packed = Bytes::from(gzip(&vec![b' '; 1 << 20]));
        let headers = headers("gzip");
        assert_eq!(decode(&packed, &headers, 1 << 20).unwrap().len(), 1 << 20);
        assert!(decode(&packed, &headers, (1 << 20) - 1).is_none());
        assert!(decode(&Bytes::from_static(b"{}"), &headers, 100).is_none());
    }

    #[test]
    fn a_body_is_decoded_whole_or_not_at_all() {
        let plain = b"a plain body, ".repeat(100);
        let mut brotli = Vec::new();
        brotli::CompressorWriter::new(&mut brotli, 4096, 5, 20)
            .write_all(&plain)
            .unwrap();
        let mut deflate =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        deflate.write_all(&plain).unwrap();
        for (encoding, encoded, detects_cut) in [
            ("identity", plain.clone(), false),
            ("", plain.clone(), false),
            ("x-gzip", gzip(&plain), true),
            ("Deflate ", deflate.finish().unwrap(), false),
            ("br", brotli, true),
            ("zstd", zstd::encode_all(&plain[..], 3).unwrap(), true),
        ] {
            let encoded = Bytes::from(encoded);
            let headers = headers(encoding);
            let whole = decode(&encoded, &headers, plain.len());
            assert_eq!(whole.as_deref(), Some(&plain[..]), "{encoding}");
            if detects_cut {
                let cut = encoded.slice(..encoded.len() - 1);
                assert_eq!(decode(&cut, &headers, plain.len()), None, "{encoding}");
            }
        }
        assert_eq!(decode(&Bytes::new(), &headers("lzw"), 9), None);
    }
}
