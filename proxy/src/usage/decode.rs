//! Undoing an answer's `content-encoding` as it comes, for a reader of a copy.

use std::io::{self, Write};

use http::{HeaderMap, header};

/// A writer that decodes what is written and hands it on.
pub(super) enum Decoder<W: Write> {
    Plain(W),
    Gzip(flate2::write::MultiGzDecoder<W>),
    Deflate(flate2::write::ZlibDecoder<W>),
    Brotli(Box<brotli::DecompressorWriter<W>>),
    Zstd(zstd::stream::write::Decoder<'static, W>),
}

impl<W: Write> Decoder<W> {
    /// The decoder for an answer with these headers; `None` for an encoding that is not known.
    pub(super) fn new(headers: &HeaderMap, inner: W) -> Option<Self> {
        let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(encoding) = encodings.next() else {
            return Some(Self::Plain(inner));
        };
        if encodings.next().is_some() {
            return None;
        }
        match encoding.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
            "identity" => Some(Self::Plain(inner)),
            "gzip" | "x-gzip" => Some(Self::Gzip(flate2::write::MultiGzDecoder::new(inner))),
            "deflate" => Some(Self::Deflate(flate2::write::ZlibDecoder::new(inner))),
            "br" => Some(Self::Brotli(Box::new(brotli::DecompressorWriter::new(
                inner, 4096,
            )))),
            "zstd" => zstd::stream::write::Decoder::new(inner)
                .ok()
                .map(Self::Zstd),
            _ => None,
        }
    }

    /// Decodes a piece.
    pub(super) fn hear(&mut self, data: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(inner) => inner.write_all(data),
            Self::Gzip(decoder) => decoder.write_all(data),
            Self::Deflate(decoder) => decoder.write_all(data),
            Self::Brotli(decoder) => decoder.write_all(data),
            Self::Zstd(decoder) => decoder.write_all(data),
        }
    }

    /// The reader, when all that came is decoded; `None` where the encoding was cut off.
    pub(super) fn finish(self) -> Option<W> {
        match self {
            Self::Plain(inner) => Some(inner),
            Self::Gzip(decoder) => decoder.finish().ok(),
            Self::Deflate(decoder) => decoder.finish().ok(),
            Self::Brotli(decoder) => decoder.into_inner().ok(),
            Self::Zstd(mut decoder) => {
                decoder.flush().ok()?;
                Some(decoder.into_inner())
            }
        }
    }
}
