//! Decodes whole bodies, and bodies that are still arriving.

use std::io::{self, Write};

use bytes::Bytes;
use http::{HeaderMap, header};
use zstd::stream::{raw, zio};

use super::Coding;
use super::limited::Limited;
use crate::memory::MemoryBudget;

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
        Some(match Coding::of(headers)? {
            Coding::Identity => Self::Identity(inner),
            Coding::Gzip => Self::Gzip(flate2::write::MultiGzDecoder::new(inner)),
            Coding::Deflate => Self::Deflate(flate2::write::ZlibDecoder::new(inner)),
            Coding::Brotli => Self::Brotli(Box::new(brotli::DecompressorWriter::new(inner, 4096))),
            Coding::Zstd => Self::Zstd(zio::Writer::new(inner, raw::Decoder::new().ok()?)),
        })
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
    let decoded = Limited::new(limit.min(by_ratio), budget).ok()?;
    let mut decoder = Decoder::new(headers, decoded)?;
    if matches!(decoder, Decoder::Identity(_)) {
        return Some(body.clone());
    }
    decoder.write_all(body).ok()?;
    decoder.finish()?.into_bytes()
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
    fn all_members_of_a_body_are_decoded() {
        let [one, two] = [b"one, ", b"two, "].map(|part| part.repeat(100));
        let zstd = |plain: &[u8]| zstd::encode_all(plain, 1).unwrap();
        for (encoding, body) in [
            ("gzip", [gzip(&one), gzip(&two)].concat()),
            ("zstd", [zstd(&one), zstd(&two)].concat()),
        ] {
            let whole = decode(&body.into(), &headers(encoding), usize::MAX).unwrap();
            assert_eq!(whole, [&one[..], &two[..]].concat(), "{encoding}");
        }
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
