//! Tells what became of a request at the provider, and reads the token usage from its response while that is passed on to the client.

mod parser;

use std::io::Write as _;

use bytes::Bytes;
use headroom_shared::contract::usage::Usage;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;

use self::parser::UsageParser;
use crate::content_encoding::Decoder;
use crate::dialect::Dialect;
use crate::upstream::ResponseBody;

/// What became of a request that the provider has responded to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    /// It was refused as it is: the provider has cached nothing of it, and binds nothing to it.
    Refused,
    /// Its response has ended or was given up, and stated this usage.
    Ended(Option<Usage>),
}

/// Called once, when the outcome is known.
pub(crate) type OutcomeCallback = Box<dyn FnOnce(Outcome) + Send>;

/// Whether a response with this status refuses the request as it is. One that asks to send the same again at another time does not.
pub(crate) fn is_refusal(status: StatusCode) -> bool {
    let again = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::CONFLICT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    status.is_client_error() && !again.contains(&status)
}

/// The body of a response with these headers, which is read for its usage while it is passed on untouched.
pub(crate) fn tap(
    body: ResponseBody,
    headers: &HeaderMap,
    dialect: &'static dyn Dialect,
    on_outcome: OutcomeCallback,
) -> impl Body<Data = Bytes, Error = hyper::Error> + Send + 'static {
    let parser = UsageParser::new(headers, dialect);
    let mut tap = UsageTap {
        parser: parser.and_then(|parser| Decoder::new(headers, parser)),
        on_outcome: Some(on_outcome),
    };
    body.inspect_frame(move |frame| tap.read(frame))
}

/// Reads a response's frames; dropped with its body.
struct UsageTap {
    /// `None` for a response that can't be read.
    parser: Option<Decoder<UsageParser>>,
    on_outcome: Option<OutcomeCallback>,
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
        if let Some(on_outcome) = self.on_outcome.take() {
            let parser = self.parser.take().and_then(Decoder::finish);
            on_outcome(Outcome::Ended(parser.and_then(UsageParser::usage)));
        }
    }
}
