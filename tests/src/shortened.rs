//! Texts that are sent shortened.

use headroom_shared::compress::shorten::original_of;
use headroom_shared::contract::id::OriginalId;
use serde_json::Value;

/// All texts in a body, whatever its dialect.
///
/// # Panics
/// When the body is no JSON.
#[must_use]
pub fn texts(body: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    let mut left = vec![serde_json::from_slice::<Value>(body).expect("a body is JSON")];
    while let Some(value) = left.pop() {
        match value {
            Value::String(text) => texts.push(text),
            Value::Array(values) => left.extend(values),
            Value::Object(members) => left.extend(members.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    texts
}

/// The shortened text in a body, with the name of its original.
#[must_use]
pub fn shortened(body: &[u8]) -> Option<(String, OriginalId)> {
    let texts = texts(body).into_iter();
    let mut named = texts.filter_map(|text| original_of(&text).map(|original| (text, original)));
    named.next()
}
