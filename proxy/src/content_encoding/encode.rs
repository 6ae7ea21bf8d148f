//! Encodes a body that was spliced.

use std::io::{self, Write};
use std::time::Instant;

use bytes::Bytes;

use super::Coding;
use super::limited::Limited;
use crate::memory::MemoryBudget;
use crate::plan::splice::Rope;

/// How thoroughly zstd, gzip and deflate search: as fast as they can.
const LEVEL: i32 = 1;
/// The same for brotli.
const BROTLI_QUALITY: u32 = 1;
/// How far back brotli refers: 2^20 bytes.
const BROTLI_WINDOW_BITS: u32 = 20;
/// The clock is looked at whenever so many bytes more are encoded.
const PIECE: usize = 64 << 10;

/// The body in this coding. `None` where it is not encoded before `deadline`, there is no memory for it, or it would become longer.
pub(crate) fn encoded(
    body: &Rope,
    coding: Coding,
    (deadline, budget): (Instant, &MemoryBudget),
) -> Option<Bytes> {
    let limited = Limited::new(body.len(), budget).ok()?;
    let mut encoder = Encoder::new(coding, body.len(), limited).ok()?;
    for piece in body.slices().flat_map(|slice| slice.chunks(PIECE)) {
        if Instant::now() >= deadline {
            return None;
        }
        encoder.write_all(piece).ok()?;
    }
    encoder.finish().ok()?.into_bytes()
}

/// A writer that encodes what is written and passes it to another.
enum Encoder<W: Write> {
    Identity(W),
    Gzip(flate2::write::GzEncoder<W>),
    Deflate(flate2::write::ZlibEncoder<W>),
    Brotli(Box<brotli::CompressorWriter<W>>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    /// The encoder for a body of so many bytes.
    fn new(coding: Coding, length: usize, inner: W) -> io::Result<Self> {
        let level = flate2::Compression::new(LEVEL.unsigned_abs());
        Ok(match coding {
            Coding::Identity => Self::Identity(inner),
            Coding::Gzip => Self::Gzip(flate2::write::GzEncoder::new(inner, level)),
            Coding::Deflate => Self::Deflate(flate2::write::ZlibEncoder::new(inner, level)),
            Coding::Brotli => Self::Brotli(Box::new(brotli::CompressorWriter::new(
                inner,
                4096,
                BROTLI_QUALITY,
                BROTLI_WINDOW_BITS,
            ))),
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(inner, LEVEL)?;
                // Stands in the frame's header: some decoders need it.
                encoder.set_pledged_src_size(Some(length as u64))?;
                Self::Zstd(encoder)
            }
        })
    }

    /// The inner writer, when all of the body was written. What it refused at last, brotli does not tell.
    fn finish(self) -> io::Result<W> {
        match self {
            Self::Identity(inner) => Ok(inner),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Deflate(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Identity(inner) => inner.write(data),
            Self::Gzip(encoder) => encoder.write(data),
            Self::Deflate(encoder) => encoder.write(data),
            Self::Brotli(encoder) => encoder.write(data),
            Self::Zstd(encoder) => encoder.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, header};

    use super::*;
    use crate::content_encoding::decoded;

    const CODINGS: [(&str, Coding); 4] = [
        ("gzip", Coding::Gzip),
        ("deflate", Coding::Deflate),
        ("br", Coding::Brotli),
        ("zstd", Coding::Zstd),
    ];

    fn budget() -> MemoryBudget {
        MemoryBudget::new(64 << 20)
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// Text of many lines, in two slices.
    fn text() -> Rope {
        let text = (0..50_000).fold(String::new(), |text, n| text + &n.to_string() + "\n");
        Rope::splice(&Bytes::from(text), [(9..9, Bytes::from_static(b"form"))])
    }

    #[test]
    fn what_is_encoded_is_decoded_to_the_same() {
        let (text, budget) = (text(), budget());
        for (name, coding) in CODINGS {
            let encoded = encoded(&text, coding, (later(), &budget)).unwrap();
            assert!(encoded.len() < text.len(), "{name}");
            let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, name.parse().unwrap())]);
            assert_eq!(Coding::of(&headers), Some(coding));
            let decoded = decoded(&encoded, &headers, (text.len(), &budget)).unwrap();
            assert_eq!(decoded, text.to_vec(), "{name}");
        }
    }

    #[test]
    fn a_body_is_encoded_whole_or_not_at_all() {
        let small = MemoryBudget::new(300 << 10);
        let long = Rope::from(Bytes::from_static(b"{}"));
        for (name, coding) in CODINGS {
            let late = encoded(&text(), coding, (Instant::now(), &budget()));
            assert_eq!(late, None, "{name}");
            let over_memory = encoded(&text(), coding, (later(), &small));
            assert_eq!(over_memory, None, "{name}");
            let longer = encoded(&long, coding, (later(), &budget()));
            assert_eq!(longer, None, "{name}");
        }
    }
}
