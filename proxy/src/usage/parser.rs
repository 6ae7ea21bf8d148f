//! Finds the token usage in a response: in its one JSON document, or in the events of its stream.

use std::io::{self, Write};

use headroom_shared::contract::usage::Usage;
use http::{HeaderMap, header};
use memchr::{memchr, memmem};

use crate::dialect::Dialect;

/// A longer event or document is skipped.
const MAX_BUFFER: usize = 4 << 20;

/// A writer that is given a response and finds the usage in it.
pub(super) struct UsageParser {
    dialect: &'static dyn Dialect,
    format: Format,
    /// The line of an event stream, or the document, as far as it has come.
    buffer: Vec<u8>,
    overlong: bool,
    usage: Option<Usage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Events,
}

impl UsageParser {
    /// The parser for a response with these headers; `None` where the content type is neither JSON nor an event stream.
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
            buffer: Vec::new(),
            overlong: false,
            usage: None,
        })
    }

    /// The usage that the response states, if it states its input.
    pub(super) fn usage(mut self) -> Option<Usage> {
        if self.format == Format::Json {
            let document = std::mem::take(&mut self.buffer);
            self.document(&document);
        }
        self.usage.filter(|usage| usage.input > 0)
    }

    fn push(&mut self, piece: &[u8]) {
        self.overlong |= self.buffer.len() + piece.len() > MAX_BUFFER;
        if self.overlong {
            self.buffer.clear();
        } else {
            self.buffer.extend_from_slice(piece);
        }
    }

    fn events(&mut self, mut piece: &[u8]) {
        while let Some(end) = memchr(b'\n', piece) {
            self.push(&piece[..end]);
            piece = &piece[end + 1..];
            let line = std::mem::take(&mut self.buffer);
            if let Some(data) = line.strip_prefix(b"data:") {
                self.document(data);
            }
            self.buffer = line;
            self.buffer.clear();
            self.overlong = false;
        }
        self.push(piece);
    }

    fn document(&mut self, document: &[u8]) {
        // Most events carry no usage: a search is far cheaper than a parse.
        if memmem::find(document, b"\"usage\"").is_some()
            && let Ok(document) = serde_json::from_slice(document)
            && let Some(usage) = self.dialect.usage(&document)
        {
            self.usage = Some(self.usage.unwrap_or_default().max(usage));
        }
    }
}

impl Write for UsageParser {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self.format {
            Format::Json => self.push(piece),
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

    /// The usage in a response that arrives byte by byte.
    fn parse(dialect: usize, content_type: &str, response: &str) -> Option<Usage> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        let mut parser = UsageParser::new(&headers, DIALECTS[dialect]).unwrap();
        for byte in response.as_bytes() {
            parser.write_all(&[*byte]).unwrap();
        }
        parser.usage()
    }

    #[test]
    fn usage_is_found_in_streams_and_documents() {
        let (stream, json) = ("text/event-stream; charset=utf-8", "application/json");
        for (dialect, content_type, response, usage) in [
            (
                0,
                stream,
                "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":10,\"cache_creation_input_tokens\":7,\"output_tokens\":1}}}\r\n\r\nevent: ping\ndata: {\"type\":\"ping\"}\n\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":15}}\n\n",
                Some([10, 7, 0, 20, 15]),
            ),
            (
                1,
                stream,
                "data: {\"choices\":[],\"usage\":null}\n\ndata: {\"usage\":{\"prompt_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\ndata: [DONE]\n\n",
                Some([4, 0, 0, 9, 0]),
            ),
            (
                2,
                stream,
                "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":2,\"cache_write_tokens\":3}}}}\n\n",
                Some([2, 3, 0, 9, 0]),
            ),
            (
                0,
                json,
                "{\"usage\":{\"input_tokens\":5,\"cache_creation_input_tokens\":9,\"cache_creation\":{\"ephemeral_1h_input_tokens\":6},\"output_tokens\":2}}",
                Some([0, 9, 6, 14, 2]),
            ),
            (0, json, "{\"usage\":{\"output_tokens\":2}}", None),
            (0, json, "{\"error\":1}", None),
        ] {
            let usage = usage.map(|[read, written, written_hour, input, output]| Usage {
                read,
                written,
                written_hour,
                input,
                output,
            });
            assert_eq!(parse(dialect, content_type, response), usage, "{response}");
        }
    }
}
