//! `content-encoding`: bodies are decoded to be read, and what is spliced is encoded again with the same coding.

mod decode;
mod encode;
mod limited;

use http::{HeaderMap, header};

pub(crate) use self::decode::{Decoder, decoded};
pub(crate) use self::encode::encoded;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    /// In zlib's format (RFC 9110, section 8.4.1.2).
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// The coding that these headers name; `None` for one that is not known, and for more than one.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut named = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(coding) = named.next() else {
            return Some(Self::Identity);
        };
        if named.next().is_some() {
            return None;
        }
        match coding.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
            "identity" | "" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}
