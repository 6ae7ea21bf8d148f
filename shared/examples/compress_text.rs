//! Compresses a made-up output of 100 kB of the kind that the first argument names, as often as the second says, and adds it to the history
//! of later ones. `scripts/instructions` counts what it takes.

use std::hint::black_box;

use headroom_shared::compress::{Earlier, Prepared, Source};

#[path = "../benches/texts.rs"]
#[expect(dead_code, reason = "the benches use all of it")]
mod texts;

fn main() {
    let mut words = std::env::args().skip(1);
    let kind = words.next().unwrap_or_default();
    let times = words.next().and_then(|times| times.parse().ok());
    let text = texts::text(&kind, 100_000);
    for _ in 0..times.unwrap_or(1) {
        let mut earlier = Earlier::default();
        let source = Source {
            text: &text,
            tool: Some("Bash"),
            input: None,
        };
        let prepared = Prepared::of(black_box(source));
        let _ = black_box(prepared.compress(&earlier));
        black_box(earlier.push_prepared(prepared));
    }
}
