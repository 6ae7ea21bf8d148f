//! Compression takes time in proportion to the length of the text.

use std::time::{Duration, Instant};

use super::source;
use crate::compress::{Deadline, Earlier, NoForm, compress};

/// Eight times the text may take 32 times the time, where a quadratic compressor would take 64 times. Other processes disturb
/// the clock, so the best of several tries counts.
#[test]
fn time_is_linear() {
    for (name, unit) in nasty_units() {
        let small = (0..5).map(|_| time(&unit, 16 << 10)).min().unwrap();
        let bound = small * 32 + Duration::from_millis(20);
        let mut tries = (0..10).map(|_| time(&unit, 128 << 10));
        assert!(
            tries.any(|large| large < bound),
            "{name}: {small:?} for 16 KiB, and for 128 KiB never less than {bound:?}"
        );
    }
}

fn time(unit: &str, bytes: usize) -> Duration {
    let text = unit.repeat(bytes / unit.len());
    let started = Instant::now();
    let mut earlier = Earlier::default();
    earlier.push(source(&text));
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
        ("one line", "x"),
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
