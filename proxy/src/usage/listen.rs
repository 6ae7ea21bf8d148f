//! Reads what a provider says of its cache out of an answer: one JSON document, or the events of a stream.

use std::io::{self, Write};

use headroom_shared::contract::record::CacheUsage;
use http::{HeaderMap, header};
use memchr::{memchr, memmem};

use crate::dialect::Dialect;

/// A longer event or document is passed over.
const LONGEST: usize = 4 << 20;

/// A writer that is given an answer and finds the usage in it.
pub(super) struct Listener {
    dialect: &'static dyn Dialect,
    format: Format,
    /// The line of an event stream, or the document, as far as it has come.
    held: Vec<u8>,
    overlong: bool,
    usage: Option<CacheUsage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Events,
}

impl Listener {
    /// A listener to an answer with these headers; `None` where the content type is neither JSON nor an event stream.
    pub(super) fn new(headers: &HeaderMap, dialect: &'static dyn Dialect) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let format = match kind.split(';').next().map(str::trim) {
            Some("application/json") => Format::Json,
            Some("text/event-stream") => Format::Events,
            _ => return None,
        };
        Some(Self {
            dialect,
            format,
            held: Vec::new(),
            overlong: false,
            usage: None,
        })
    }

    /// What the answer said.
    pub(super) fn usage(mut self) -> Option<CacheUsage> {
        if self.format == Format::Json {
            let document = std::mem::take(&mut self.held);
            self.document(&document);
        }
        self.usage
    }

    fn hold(&mut self, piece: &[u8]) {
        self.overlong |= self.held.len() + piece.len() > LONGEST;
        if self.overlong {
            self.held.clear();
        } else {
            self.held.extend_from_slice(piece);
        }
    }

    fn events(&mut self, mut piece: &[u8]) {
        while let Some(end) = memchr(b'\n', piece) {
            self.hold(&piece[..end]);
            piece = &piece[end + 1..];
            let line = std::mem::take(&mut self.held);
            if let Some(data) = line.strip_prefix(b"data:") {
                self.document(data);
            }
            self.held = line;
            self.held.clear();
            self.overlong = false;
        }
        self.hold(piece);
    }

    fn document(&mut self, document: &[u8]) {
        // Most events carry no usage: a search is far cheaper than a parse.
        if memmem::find(document, b"\"usage\"").is_some()
            && let Ok(document) = serde_json::from_slice(document)
            && let Some(usage) = self.dialect.usage(&document)
        {
            self.usage = Some(usage);
        }
    }
}

impl Write for Listener {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self.format {
            Format::Json => self.hold(piece),
            Format::Events => self.events(piece),
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::DIALECTS;

    fn heard(dialect: usize, kind: &'static str, answer: &str) -> Option<CacheUsage> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        let mut listener = Listener::new(&headers, DIALECTS[dialect]).unwrap();
        for byte in answer.as_bytes() {
            listener.write_all(&[*byte]).unwrap();
        }
        listener.usage()
    }

    #[test]
    fn usage_is_found_in_streams_and_documents() {
        let start = "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":10,\"cache_creation_input_tokens\":7,\"output_tokens\":1}}}\r\n\r\nevent: ping\ndata: {\"type\":\"ping\"}\n\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":15}}\n\n";
        let stream = "text/event-stream; charset=utf-8";
        assert_eq!(
            heard(0, stream, start),
            Some(CacheUsage {
                read: 10,
                written: 7,
                total: 20
            })
        );
        let chat = "data: {\"choices\":[],\"usage\":null}\n\ndata: {\"usage\":{\"prompt_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\ndata: [DONE]\n\n";
        assert_eq!(
            heard(1, stream, chat),
            Some(CacheUsage {
                read: 4,
                written: 0,
                total: 9
            })
        );
        let responses = "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":2,\"cache_write_tokens\":3}}}}\n\n";
        assert_eq!(
            heard(2, stream, responses),
            Some(CacheUsage {
                read: 2,
                written: 3,
                total: 9
            })
        );
        let whole = "{\"usage\":{\"input_tokens\":5}}";
        assert_eq!(
            heard(0, "application/json", whole),
            Some(CacheUsage {
                read: 0,
                written: 0,
                total: 5
            })
        );
        assert_eq!(heard(0, "application/json", "{\"error\":1}"), None);
    }
}
