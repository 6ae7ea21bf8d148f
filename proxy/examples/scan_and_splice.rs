//! Scans and splices one made-up body of 200 kB, as often as the argument says: `scripts/instructions` counts what it takes.

use std::hint::black_box;

use bytes::Bytes;
use headroom_proxy::hot_path;

#[path = "../benches/bodies.rs"]
#[expect(dead_code, reason = "the benches use all of it")]
mod bodies;

fn main() {
    let times = std::env::args().nth(1).and_then(|times| times.parse().ok());
    let body = Bytes::from(bodies::anthropic(200_000));
    let form = Bytes::from_static(b"a form");
    for _ in 0..times.unwrap_or(1) {
        black_box(hot_path::scan_and_splice(black_box(&body), 0, &form));
    }
}
