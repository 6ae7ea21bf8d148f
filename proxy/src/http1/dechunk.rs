//! Bodies in chunks, read (RFC 9112, section 7.1).

use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};

use super::MOST_FIELDS;

/// How many bytes a body may have in all that stand beside its sizes: extensions, spaces, zeros. Without a bound, little data could
/// come with any amount of them.
const MOST_EXTRA: usize = 16 << 10;
/// How long all trailers may be together.
const MOST_TRAILERS: usize = 16 << 10;
/// Digits that the largest size has.
const DIGITS: usize = 16;

/// Takes a body out of its chunks, however the bytes are cut when they come. Trailers are read and dropped.
#[derive(Debug)]
pub(crate) struct Dechunk {
    at: At,
    /// What is left of the chunk.
    left: u64,
    /// Bytes so far that stood beside sizes.
    extra: usize,
    /// Trailers so far, with the empty line behind them.
    trailers: Vec<u8>,
}

/// Why chunks can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadChunk {
    /// Something else than a size stands where one must.
    #[error("a chunk has no size that can be read")]
    Size,
    /// The size is more than can be counted.
    #[error("a chunk's size is too large")]
    Large,
    /// More stands beside the sizes than is read.
    #[error("the chunks' extensions are longer than {MOST_EXTRA} bytes")]
    Extra,
    /// A line does not end where it must, or not as it must.
    #[error("a chunk does not end where its size says")]
    End,
    /// The trailers are too long, or no fields.
    #[error("the chunks' trailers can't be read")]
    Trailers,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// The first digit of a size.
    Size,
    /// Another digit, or what ends the size.
    Digits(usize),
    /// Spaces between a size and what ends it.
    Space,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// The beginning of a trailer, or of the empty line.
    Trailer,
    TrailerText,
    TrailerLf,
    EndLf,
    Done,
    Broken(BadChunk),
}

impl Dechunk {
    /// Before the first byte of a body.
    pub(crate) const fn new() -> Self {
        Self {
            at: At::Size,
            left: 0,
            extra: 0,
            trailers: Vec::new(),
        }
    }

    /// Takes the chunks off the front of `bytes` and gives the data that was in them, in one piece. What follows the body is left
    /// there, and what follows a fault too.
    pub(crate) fn take(&mut self, bytes: &mut BytesMut) -> Bytes {
        let mut at = 0;
        let mut data = 0..0;
        while at < bytes.len() && self.end().is_none() {
            if self.at == At::Data {
                let length = self.run(bytes.len() - at);
                join(bytes, &mut data, at..at + length);
                at += length;
            } else {
                self.at = self.step(bytes[at]).unwrap_or_else(At::Broken);
                at += 1;
            }
        }
        let mut taken = if at == bytes.len() {
            std::mem::take(bytes)
        } else {
            bytes.split_to(at)
        };
        taken.truncate(data.end);
        taken.advance(data.start);
        taken.freeze()
    }

    /// Whether the body has come to its end, or can't be read on; `None` while more of it is to come.
    pub(crate) const fn end(&self) -> Option<Result<(), BadChunk>> {
        match self.at {
            At::Done => Some(Ok(())),
            At::Broken(bad) => Some(Err(bad)),
            _ => None,
        }
    }

    /// How much of a chunk's data is among the next `there` bytes.
    fn run(&mut self, there: usize) -> usize {
        let length = usize::try_from(self.left).map_or(there, |left| left.min(there));
        self.left -= length as u64;
        if self.left == 0 {
            self.at = At::DataCr;
        }
        length
    }

    /// What comes after a byte that is not data.
    fn step(&mut self, byte: u8) -> Result<At, BadChunk> {
        match (self.at, byte) {
            (At::Size, _) => self.digit(byte, 0),
            (At::Digits(_) | At::Space, b' ' | b'\t') => self.beside(At::Space),
            (At::Digits(_) | At::Space, b';') => self.beside(At::Extension),
            (At::Digits(_) | At::Space | At::Extension, b'\r') => Ok(At::SizeLf),
            (At::Digits(digits), _) => self.digit(byte, digits),
            (At::Extension, byte) if byte != b'\n' => self.beside(At::Extension),
            (At::SizeLf, b'\n') if self.left > 0 => Ok(At::Data),
            (At::SizeLf, b'\n') => Ok(At::Trailer),
            (At::DataCr, b'\r') => Ok(At::DataLf),
            (At::DataLf, b'\n') => Ok(At::Size),
            (At::DataCr | At::DataLf, _) => Err(BadChunk::End),
            (At::Trailer | At::TrailerText | At::TrailerLf | At::EndLf, _) => self.trailer(byte),
            _ => Err(BadChunk::Size),
        }
    }

    /// A digit of a size that has so many before it.
    fn digit(&mut self, byte: u8, before: usize) -> Result<At, BadChunk> {
        let digit = char::from(byte).to_digit(16).ok_or(BadChunk::Size)?;
        let shifted = self.left.checked_mul(16).ok_or(BadChunk::Large)?;
        self.left = shifted | u64::from(digit);
        if before < DIGITS {
            return Ok(At::Digits(before + 1));
        }
        self.beside(At::Digits(before))
    }

    /// Counts a byte beside a size.
    fn beside(&mut self, next: At) -> Result<At, BadChunk> {
        self.extra += 1;
        if self.extra > MOST_EXTRA {
            return Err(BadChunk::Extra);
        }
        Ok(next)
    }

    /// A byte of the trailers, or of the empty line that ends a body with and without them.
    fn trailer(&mut self, byte: u8) -> Result<At, BadChunk> {
        if self.trailers.len() == MOST_TRAILERS {
            return Err(BadChunk::Trailers);
        }
        self.trailers.push(byte);
        match (self.at, byte) {
            (At::Trailer, b'\r') => Ok(At::EndLf),
            (At::TrailerText, b'\r') => Ok(At::TrailerLf),
            (At::Trailer | At::TrailerText, byte) if byte != b'\n' => Ok(At::TrailerText),
            (At::TrailerLf, b'\n') => Ok(At::Trailer),
            (At::EndLf, b'\n') if are_fields(&std::mem::take(&mut self.trailers)) => Ok(At::Done),
            _ => Err(BadChunk::Trailers),
        }
    }
}

fn are_fields(trailers: &[u8]) -> bool {
    let mut parsed = [httparse::EMPTY_HEADER; MOST_FIELDS];
    trailers == b"\r\n"
        || httparse::parse_headers(trailers, &mut parsed).is_ok_and(|status| status.is_complete())
}

/// Puts another run of data behind the data there is. One run alone, as most reads bring, is not moved.
fn join(bytes: &mut [u8], data: &mut Range<usize>, run: Range<usize>) {
    if data.start == data.end {
        *data = run;
        return;
    }
    let length = run.len();
    bytes.copy_within(run, data.end);
    data.end += length;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::cut;
    use proptest::prelude::*;

    /// The data of a body whose bytes come in these pieces, how it ended, and what was left.
    fn read(pieces: &[&[u8]]) -> (Vec<u8>, Option<Result<(), BadChunk>>, Vec<u8>) {
        let mut dechunk = Dechunk::new();
        let mut data = Vec::new();
        let mut left = Vec::new();
        for piece in pieces {
            let mut bytes = BytesMut::from(*piece);
            data.extend_from_slice(&dechunk.take(&mut bytes));
            left.extend_from_slice(&bytes);
        }
        (data, dechunk.end(), left)
    }

    #[test]
    fn what_is_a_body_and_what_is_none() {
        let ok = Some(Ok(()));
        let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(MOST_EXTRA));
        let zeros = format!("{}5\r\nhello\r\n0\r\n\r\n", "0".repeat(40));
        let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(MOST_TRAILERS / 6 + 1));
        for (body, data, end) in [
            ("5\r\nhello\r\n0\r\n\r\n", "hello", ok),
            ("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello", ok),
            (
                "5;a=\"b;\\\"\"\r\nhello\r\n0;c\r\nx-trailer: 1\r\n\r\n",
                "hello",
                ok,
            ),
            ("0005 \t;a\r\nhello\r\n000\r\n\r\n", "hello", ok),
            (
                "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
                "01234567890123456789",
                ok,
            ),
            (&zeros, "hello", ok),
            ("5\r\nhello\r\n0\r\n", "hello", None),
            ("ffffffffffffffff\r\nhello", "hello", None),
            ("5\r\nhello\r\nxyz", "hello", Some(Err(BadChunk::Size))),
            ("5\nhello\r\n", "", Some(Err(BadChunk::Size))),
            ("5\rhello\r\n", "", Some(Err(BadChunk::Size))),
            ("5;a\nb\r\nhello", "", Some(Err(BadChunk::Size))),
            ("+5\r\nhello", "", Some(Err(BadChunk::Size))),
            (" 5\r\nhello", "", Some(Err(BadChunk::Size))),
            ("5 5\r\nhello", "", Some(Err(BadChunk::Size))),
            ("\r\nhello", "", Some(Err(BadChunk::Size))),
            ("10000000000000005\r\n", "", Some(Err(BadChunk::Large))),
            ("5\r\nhellox\r\n", "hello", Some(Err(BadChunk::End))),
            ("5\r\nhello\n0\r\n", "hello", Some(Err(BadChunk::End))),
            ("5\r\nhello\rx", "hello", Some(Err(BadChunk::End))),
            ("0\r\n\rx", "", Some(Err(BadChunk::Trailers))),
            ("0\r\na: b\rx", "", Some(Err(BadChunk::Trailers))),
            (&long, "", Some(Err(BadChunk::Extra))),
            ("0\r\nno trailer\r\n\r\n", "", Some(Err(BadChunk::Trailers))),
            ("0\r\n \r\n\r\n", "", Some(Err(BadChunk::Trailers))),
            ("0\r\na: b\n\r\n", "", Some(Err(BadChunk::Trailers))),
            (&trailers, "", Some(Err(BadChunk::Trailers))),
        ] {
            let (got, ended, _) = read(&[body.as_bytes()]);
            assert_eq!((got, ended), (data.as_bytes().to_vec(), end), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn chunks_are_read_as_they_were_written(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..8),
            places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
            after in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let mut bytes = Vec::new();
            for piece in &pieces {
                bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                bytes.extend_from_slice(piece);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\na: b\r\n\r\n");
            bytes.extend_from_slice(&after);
            prop_assert_eq!(read(&cut(&bytes, &places)), (pieces.concat(), Some(Ok(())), after));
        }

        #[test]
        fn nonsense_is_the_same_nonsense_however_it_is_cut(
            bytes in prop::collection::vec(prop::sample::select(&b"01fF \t;\r\n\r\n:x-"[..]), 0..80),
            places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let (data, end, left) = read(&cut(&bytes, &places));
            prop_assert_eq!(read(&[&bytes]), (data, end, left));
        }
    }
}
