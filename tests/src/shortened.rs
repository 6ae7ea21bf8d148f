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

/// The lines that the first mark in a shortened text stands for, such as `41-77`.
#[must_use]
pub fn first_gap(text: &str) -> Option<&str> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix("[…")?.strip_suffix(']'))
}

/// The output of a test run in which one of many tests fails.
#[must_use]
pub fn test_run() -> String {
    let mut run = "   Compiling parser v0.1.0 (/srv/parser)\nrunning 400 tests\n".to_owned();
    for test in 0..400 {
        let outcome = if test == 237 { "FAILED" } else { "ok" };
        run.push_str(&format!(
            "test parse::module_{test}::reads_what_it_wrote ... {outcome}\n"
        ));
    }
    run.push_str("\nfailures:\n\n---- parse::module_237::reads_what_it_wrote stdout ----\n");
    run.push_str("thread 'parse' panicked at src/parse.rs:41:9:\nleft: 1, right: 2\n\n");
    run + "test result: FAILED. 399 passed; 1 failed; 0 ignored; finished in 1.20s\n"
}
