//! An entry of the dead list, as a person will read it.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Element;

/// How much of an element that is no envelope is shown, in bytes.
const SHOWN: usize = 200;
/// Longest reason, in bytes.
const REASON: usize = 500;

#[derive(Serialize)]
struct Entry<'a> {
    reason: &'a str,
    worker: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    element: Option<&'a str>,
}

/// What an entry says.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Read<'a> {
    pub(super) reason: String,
    pub(super) worker: String,
    pub(super) at: u64,
    #[serde(borrow)]
    envelope: Option<&'a RawValue>,
}

impl Read<'_> {
    /// The element that was buried, if it is shown as a whole.
    pub(super) fn element(&self) -> Option<Element> {
        let envelope = self.envelope?.get();
        Some(Element::new(envelope.as_bytes().to_vec().into()))
    }
}

/// What an entry says, unless a hand has put something else there.
pub(super) fn read(entry: &[u8]) -> Option<Read<'_>> {
    serde_json::from_slice(entry).ok()
}

/// The entry's JSON up to the time, which the queue adds by its own clock: `{"reason":…,"worker":…,"envelope":…`.
///
/// What is no JSON of at most `longest` bytes is shown as the beginning of its text.
pub(super) fn entry(reason: &str, worker: &str, element: &Element, longest: usize) -> String {
    let bytes = element.bytes();
    let envelope = Some(bytes)
        .filter(|bytes| bytes.len() <= longest)
        .filter(|bytes| serde_json::from_slice::<IgnoredAny>(bytes).is_ok())
        .and_then(|bytes| serde_json::from_slice::<&RawValue>(bytes).ok());
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    open(&Entry {
        reason: cut(reason, REASON),
        worker,
        envelope,
        element: envelope.is_none().then_some(&*shown),
    })
}

/// The beginning of an entry whose envelope and time the queue adds: `{"reason":…,"worker":…`.
pub(super) fn head(reason: &str, worker: &str) -> String {
    open(&Entry {
        reason,
        worker,
        envelope: None,
        element: None,
    })
}

fn open(entry: &Entry<'_>) -> String {
    let mut json = serde_json::to_string(entry).unwrap_or_default();
    json.pop();
    json
}

fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rfind(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(element: &[u8]) -> serde_json::Value {
        let element = Element::new(element.to_vec().into());
        serde_json::from_str(&(entry("why", "w", &element, 1000) + ",\"at\":1}")).unwrap()
    }

    #[test]
    fn an_entry_is_json_whatever_the_element_was() {
        assert_eq!(parsed(b"{\"id\":\"x\"}")["envelope"]["id"], "x");
        assert_eq!(parsed(b"{\"id\":")["element"], "{\"id\":");
        assert_eq!(parsed(b"\xff\"\n")["element"], "\u{fffd}\"\n");
        let long = parsed(&[b'7'; 5000]);
        assert_eq!(long["element"].as_str().unwrap().len(), SHOWN);
        assert_eq!(long["at"], 1);
    }

    #[test]
    fn an_element_comes_back_byte_for_byte() {
        for (element, comes_back) in [
            (&b"{ \"id\":\"\\u0041\",\"n\":1.50 }"[..], true),
            (b"no json", false),
        ] {
            let stored = Element::new(element.to_vec().into());
            let entry = entry("why", "w", &stored, 1000) + ",\"at\":1}";
            let read = read(entry.as_bytes()).unwrap();
            assert_eq!((read.reason.as_str(), read.at), ("why", 1));
            assert_eq!(read.element(), comes_back.then_some(stored));
        }
        assert!(read(b"by hand").is_none());
    }
}
