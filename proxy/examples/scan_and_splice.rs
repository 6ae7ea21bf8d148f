//! Scans and splices one made-up body of 200 kB, as often as the second argument says: `first` as a body that nothing is known
//! of, `next` as one whose conversation was scanned a turn before. `scripts/instructions` counts what it takes.

use std::hint::black_box;

use bytes::Bytes;
use headroom_proxy::hot_path;

#[path = "../benches/bodies.rs"]
#[expect(dead_code, reason = "the benches use all of it")]
mod bodies;

fn main() {
    let mut words = std::env::args().skip(1);
    let known = words.next().is_some_and(|word| word == "next");
    let times = words
        .next()
        .and_then(|times| times.parse().ok())
        .unwrap_or(1);
    let before = bodies::anthropic(200_000);
    let body = Bytes::from(bodies::next_turn(&before));
    let before = Bytes::from(before);
    let form = Bytes::from_static(b"a form");
    let turns = hot_path::Turns::new();
    for _ in 0..times {
        if known {
            black_box(turns.scan_and_splice(&before, 0, &form));
            black_box(turns.scan_and_splice(black_box(&body), 0, &form));
        } else {
            black_box(hot_path::scan_and_splice(black_box(&body), 0, &form));
        }
    }
}
