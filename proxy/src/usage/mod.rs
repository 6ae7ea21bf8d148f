//! Reads the token usage from a provider's response while it is passed on to the client.

mod parser;

use std::io::Write as _;

use bytes::Bytes;
use headroom_shared::contract::record::CacheUsage;
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;

use self::parser::UsageParser;
use crate::content_encoding::Decoder;
use crate::dialect::Dialect;
use crate::upstream::ResponseBody;

/// Called once, when the response has ended or was given up, with the usage that it stated.
pub(crate) type UsageCallback = Box<dyn FnOnce(Option<CacheUsage>) + Send>;

/// The body of a response with these headers, which is read for its usage while it is passed on untouched.
pub(crate) fn tap(
    body: ResponseBody,
    headers: &HeaderMap,
    dialect: &'static dyn Dialect,
    on_usage: UsageCallback,
) -> impl Body<Data = Bytes, Error = hyper::Error> + Send + 'static {
    let parser = UsageParser::new(headers, dialect);
    let mut tap = UsageTap {
        parser: parser.and_then(|parser| Decoder::new(headers, parser)),
        on_usage: Some(on_usage),
    };
    body.inspect_frame(move |frame| tap.read(frame))
}

/// Reads a response's frames; dropped with its body.
struct UsageTap {
    /// `None` for a response that can't be read.
    parser: Option<Decoder<UsageParser>>,
    on_usage: Option<UsageCallback>,
}

impl UsageTap {
    fn read(&mut self, frame: &Frame<Bytes>) {
        if let Some(data) = frame.data_ref()
            && let Some(parser) = &mut self.parser
            && parser.write_all(data).is_err()
        {
            self.parser = None;
        }
    }
}

impl Drop for UsageTap {
    fn drop(&mut self) {
        if let Some(on_usage) = self.on_usage.take() {
            let parser = self.parser.take().and_then(Decoder::finish);
            on_usage(parser.and_then(UsageParser::usage));
        }
    }
}
