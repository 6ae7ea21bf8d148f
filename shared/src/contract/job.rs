//! A job: the order to a worker to compress the blocks of one prefix.
//!
//! A job has two parts. The envelope is one short line in the queue that a person can read; it never changes, because the
//! queue finds it again by its bytes. The payload holds the blocks and is kept under a key of its own.

mod escaped;

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::compress::Source;
use crate::contract::id::{BlockId, PrefixId};
use crate::contract::output_kind::OutputKinds;
use crate::contract::tier::Tier;

pub use self::escaped::EscapedText;

/// The version of envelope and payload that this code writes and reads.
pub const VERSION: u32 = 1;

/// The envelope of a job: its element in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// [`VERSION`] of the program that made it.
    pub v: u32,
    /// The job's own id: a `UUIDv7`, so that ids sort by time.
    pub id: String,
    /// The prefix to compress.
    pub prefix: PrefixId,
    /// The model that the request named.
    pub model: String,
    /// Estimated tokens in the request's messages.
    pub tokens: u64,
    /// Blocks in the payload.
    pub blocks: u64,
    /// Bytes of text in the payload, where it is escaped.
    pub bytes: u64,
    /// When the job was pushed: milliseconds since 1970 by the proxy's clock.
    pub enqueued_ms: u64,
    /// `x-headroom-request-id` of the request that caused it.
    pub trace: String,
    /// The span of that request, as W3C Trace Context writes it, where there are traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Whether it compresses anew a prefix that has grown: such a job runs when no other waits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refresh: bool,
}

/// The blocks of a job, in the order of the conversation. The proxy writes it with [`EscapedText`]s, a worker reads it with
/// `String`s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload<Text = String> {
    /// [`VERSION`] of the program that made it.
    pub v: u32,
    /// Whether a form may refer to an earlier block (not where the provider may drop earlier blocks by itself).
    pub references: bool,
    /// What forms may leave out.
    #[serde(default, skip_serializing_if = "Tier::is_lossless")]
    pub tier: Tier,
    /// The kinds of blocks of which forms leave out nothing all the same: where that is done, agents fetch too much of it again.
    #[serde(default, skip_serializing_if = "OutputKinds::is_empty")]
    pub whole_kinds: OutputKinds,
    /// Whether one request alone waits for the result, which has a provisional life then
    /// ([`MAX_PROVISIONAL_LIFE`](crate::store::MAX_PROVISIONAL_LIFE)).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
    /// Until when its result can be worth its work, in milliseconds since 1970 by the proxy's clock: a worker that takes the job up later does
    /// not run it. 0: always.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub useful_until_ms: u64,
    /// The blocks.
    pub blocks: Vec<JobBlock<Text>>,
    /// The tool calls behind the last block, as [`JobBlock::calls`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls_after: Vec<JobCall>,
    /// How many turns of the model the conversation has.
    #[serde(default)]
    pub turns: u32,
}

/// Whether there is nothing to write.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
pub(super) const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Payload {
    /// Whether its result comes too late to be worth its work, at this time in milliseconds since 1970.
    #[must_use]
    pub const fn is_too_late(&self, now_ms: u64) -> bool {
        self.useful_until_ms > 0 && now_ms > self.useful_until_ms
    }
}

impl Payload<EscapedText<'_>> {
    /// Its JSON, as a queue takes it.
    ///
    /// # Errors
    /// Never by what the payload holds.
    pub fn to_json(&self) -> serde_json::Result<Bytes> {
        let bytes = self.blocks.iter().map(JobBlock::json_bytes).sum();
        let mut json = Vec::with_capacity(bytes);
        serde_json::to_writer(&mut json, self)?;
        Ok(json.into())
    }
}

/// One block of a job, with its tool context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobBlock<Text = String> {
    /// Its place.
    pub place: Place,
    /// The digest of its text.
    pub block: BlockId,
    /// Its text, as the model reads it; in JSON a string.
    pub text: Text,
    /// Name of the tool whose output it is, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The tool call's input as JSON text, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// How many turns of the model stand before it: of messages that it wrote one after the other.
    #[serde(default)]
    pub turn: u32,
    /// The tool calls between the block before and this one: those whose inputs are long, or all where forms may leave something out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<JobCall>,
}

/// A tool call, as far as blocks may refer to what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCall {
    /// The tool's name.
    pub tool: String,
    /// Its input as JSON text.
    pub input: String,
}

impl JobBlock {
    /// The block as a compressor sees it.
    #[must_use]
    pub fn source(&self) -> Source<'_> {
        Source {
            text: &self.text,
            tool: self.tool.as_deref(),
            input: self.input.as_deref(),
        }
    }
}

impl JobBlock<EscapedText<'_>> {
    /// Bytes of its JSON, about. A guess that is too low costs a copy of the payload's JSON and nothing else.
    fn json_bytes(&self) -> usize {
        // Place, digest and the fields' names take 100 bytes to 150, and quotes in the input are escaped.
        const BESIDE: usize = 192;
        let calls = self.calls.iter();
        let calls: usize = calls.map(|call| call.tool.len() + call.input.len()).sum();
        BESIDE + self.text.bytes() + self.input.as_ref().map_or(0, String::len) + calls
    }
}

/// The place of a block in a prefix: message, part of the message, text within the part, each counted from 0.
///
/// A content that is a plain string counts as one part, so that a place is the same for both shapes a client may send.
/// Written `message.part.inner`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The message.
    pub message: u32,
    /// The part of the message's content.
    pub part: u32,
    /// The text within the part's own content.
    pub inner: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.message, self.part, self.inner)
    }
}

/// What a text that should be a place turned out to be.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a place: three numbers with dots between them are, such as 12.0.0")]
pub struct NotAPlace(String);

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let mut numbers = text.splitn(3, '.').map(|number| number.parse().ok());
        let mut next = || {
            numbers
                .next()
                .flatten()
                .ok_or_else(|| NotAPlace(text.to_owned()))
        };
        Ok(Self {
            message: next()?,
            part: next()?,
            inner: next()?,
        })
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_text() {
        let place = Place {
            message: 12,
            part: 0,
            inner: 3,
        };
        assert_eq!(place.to_string(), "12.0.3");
        assert_eq!("12.0.3".parse::<Place>().unwrap(), place);
        for bad in ["", "1.2", "1.2.3.4", "1..3", "-1.0.0"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
