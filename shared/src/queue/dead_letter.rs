//! The JSON of an entry in the dead-letter list.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Element;
use crate::runtime::truncated::truncated;

/// How much of an element that is no envelope an entry holds, in bytes.
const MAX_ELEMENT_BYTES: usize = 200;
/// Longest reason, in bytes.
const MAX_REASON_BYTES: usize = 500;

#[derive(Serialize)]
struct Entry<'a> {
    reason: &'a str,
    worker: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    element: Option<&'a str>,
}

/// An entry that was read.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct DeadLetterEntry<'a> {
    pub(super) reason: String,
    pub(super) worker: String,
    pub(super) at: u64,
    #[serde(borrow)]
    envelope: Option<&'a RawValue>,
}

impl DeadLetterEntry<'_> {
    /// The element that was moved to the list, if the entry holds all of it.
    pub(super) fn element(&self) -> Option<Element> {
        let envelope = self.envelope?.get();
        Some(Element::new(envelope.as_bytes().to_vec().into()))
    }
}

/// Reads an entry; nothing if something else was put into the list by hand.
pub(super) fn read(entry: &[u8]) -> Option<DeadLetterEntry<'_>> {
    serde_json::from_slice(entry).ok()
}

/// The entry's JSON without its end: `{"reason":…,"worker":…,"envelope":…`. A script adds the time by Redis's clock and the brace.
///
/// Of an element that is no JSON of at most `max_bytes` bytes, the entry holds the beginning as text.
pub(super) fn unfinished_entry(
    reason: &str,
    worker: &str,
    element: &Element,
    max_bytes: usize,
) -> String {
    let bytes = element.bytes();
    let envelope = Some(bytes)
        .filter(|bytes| bytes.len() <= max_bytes)
        .filter(|bytes| serde_json::from_slice::<IgnoredAny>(bytes).is_ok())
        .and_then(|bytes| serde_json::from_slice::<&RawValue>(bytes).ok());
    let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_ELEMENT_BYTES)]);
    without_brace(&Entry {
        reason: truncated(reason, MAX_REASON_BYTES),
        worker,
        envelope,
        element: envelope.is_none().then_some(&*beginning),
    })
}

/// The beginning of an entry whose envelope and time a script adds: `{"reason":…,"worker":…`.
pub(super) fn entry_head(reason: &str, worker: &str) -> String {
    without_brace(&Entry {
        reason,
        worker,
        envelope: None,
        element: None,
    })
}

fn without_brace(entry: &Entry<'_>) -> String {
    let mut json = serde_json::to_string(entry).unwrap_or_default();
    json.pop();
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(element: &[u8]) -> serde_json::Value {
        let element = Element::new(element.to_vec().into());
        serde_json::from_str(&(unfinished_entry("why", "w", &element, 1000) + ",\"at\":1}"))
            .unwrap()
    }

    #[test]
    fn an_entry_is_json_whatever_the_element_was() {
        assert_eq!(parsed(b"{\"id\":\"x\"}")["envelope"]["id"], "x");
        assert_eq!(parsed(b"{\"id\":")["element"], "{\"id\":");
        assert_eq!(parsed(b"\xff\"\n")["element"], "\u{fffd}\"\n");
        let long = parsed(&[b'7'; 5000]);
        assert_eq!(long["element"].as_str().unwrap().len(), MAX_ELEMENT_BYTES);
        assert_eq!(long["at"], 1);
    }

    #[test]
    fn an_element_comes_back_byte_for_byte() {
        for (element, comes_back) in [
            (&b"{ \"id\":\"\\u0041\",\"n\":1.50 }"[..], true),
            (b"no json", false),
        ] {
            let stored = Element::new(element.to_vec().into());
            let entry = unfinished_entry("why", "w", &stored, 1000) + ",\"at\":1}";
            let read = read(entry.as_bytes()).unwrap();
            assert_eq!((read.reason.as_str(), read.at), ("why", 1));
            assert_eq!(read.element(), comes_back.then_some(stored));
        }
        assert!(read(b"by hand").is_none());
    }
}
