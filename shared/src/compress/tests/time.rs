//! Compression takes time in proportion to the length of the text.

use std::time::{Duration, Instant};

use serde_json::json;

use super::source;
use crate::compress::{Deadline, Earlier, NoForm, compress};

/// Eight times the text may take 32 times the time, where a quadratic compressor would take 64 times. Other processes disturb
/// the clock, so the best of several tries counts.
#[test]
fn time_is_linear() {
    for (name, unit) in nasty_units() {
        check_time(name, |bytes| unit.repeat(bytes / unit.len()));
    }
}

#[test]
fn time_is_linear_within_wrappers() {
    for (name, unit) in nasty_units() {
        check_time(name, |bytes| {
            let text = unit.repeat(bytes / unit.len());
            let array = json!([{"type": "text", "text": text}, text]).to_string();
            let output = json!({ "output": array }).to_string();
            format!("{}Exit code: 0\nOutput:\n{output}", "<a>b</a>\n".repeat(3))
        });
    }
}

fn check_time(name: &str, text: impl Fn(usize) -> String) {
    let small = (0..5).map(|_| time(&text(16 << 10))).min().unwrap();
    let bound = small * 32 + Duration::from_millis(20);
    let mut tries = (0..10).map(|_| time(&text(128 << 10)));
    assert!(
        tries.any(|large| large < bound),
        "{name}: {small:?} for 16 KiB, and for 128 KiB never less than {bound:?}"
    );
}

fn time(text: &str) -> Duration {
    let started = Instant::now();
    let mut earlier = Earlier::default();
    earlier.push(source(text));
    let _ = compress(source(&text[1..]), &earlier);
    started.elapsed()
}

fn nasty_units() -> Vec<(&'static str, String)> {
    let name = |(name, unit): (&'static str, &str)| (name, unit.to_owned());
    [
        ("line breaks", "\n"),
        ("open brackets", "["),
        ("braces", "{}\n"),
        ("rows", "{\"a\":1,\"b\":[{\"c\":2},{\"c\":3}]}\n"),
        ("escapes", "\x1b[1mx\x1b[0m\x1b["),
        ("dashes", "a-1-"),
        ("results", "a/b.rs:1:x\na/b.rs-2-y\n"),
        ("numbers", "     1→x\n"),
        (
            "alike",
            "some words that stand 1\nsome words that stay 2\n\n",
        ),
        ("hunks", "@@ -1,9 +1,9 @@\n-a\n"),
        ("files", "diff --git a/x b/x\nindex 1234567..1234568 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"),
        ("one line", "x"),
        ("tags", "<a>\nb</a>\n"),
        ("open tags", "<output>\n"),
        ("fences", "```\nx\n"),
        ("exit codes", "Exit code 1\n"),
        ("objects", "{\"output\":\""),
        ("strings", "\"\\n\\u003c\\"),
        ("times", "2024-01-01 10:00:01,123 x\n2024-01-01 10:00:01,124 y\n"),
        ("clocks", "00:00:00:00:00:00\n"),
        ("kinds", "00:00:01 \nsome words 1 stand here\nsome words 2 stand here\n"),
        ("fields", "00:00:01 \n1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (x)\n2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 (x)\n"),
        ("field on one line", "1 "),
    ]
    .into_iter()
    .map(name)
    .collect()
}

/// Whatever the text: what the loops left when they ended early is never a form.
#[test]
fn past_the_deadline_there_is_no_form() {
    for (name, unit) in nasty_units() {
        let text = unit.repeat((1 << 20) / unit.len());
        for budget in [0, 10].map(Duration::from_millis) {
            let mut earlier = Earlier::default().until(Deadline::after(budget));
            earlier.push(source(&text[unit.len()..]));
            let form = compress(source(&text), &earlier);
            let in_time = !earlier.deadline.is_over();
            assert!(in_time || form == Err(NoForm::OutOfTime), "{name}");
        }
    }
}
