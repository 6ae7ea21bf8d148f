//! What compressing an output takes by its kind, on one core, alone and with what it adds to the history of later ones:
//! `cargo bench -p headroom-shared --bench compress`.

mod texts;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use headroom_shared::compress::{Earlier, Source, compress};
use texts::{KINDS, text};

/// Bytes of an output: few are larger.
const BYTES: usize = 60_000;

fn main() {
    divan::main();
}

#[divan::bench(args = KINDS)]
fn alone(bencher: Bencher<'_, '_>, kind: &str) {
    let text = text(kind, BYTES);
    let earlier = Earlier::default();
    let bencher = bencher.counter(BytesCount::of_str(&text));
    bencher.bench(|| compress(black_box(source(&text)), &earlier));
}

#[divan::bench(args = KINDS)]
fn with_history(bencher: Bencher<'_, '_>, kind: &str) {
    let (before, text) = (text(kind, BYTES), text(kind, BYTES + BYTES / 2));
    let mut earlier = Earlier::default();
    earlier.push(source(&before));
    let bencher = bencher.counter(BytesCount::of_str(&text));
    bencher.bench(|| {
        let form = compress(black_box(source(&text)), &earlier);
        (form, earlier.clone().push(source(&text)))
    });
}

fn source(text: &str) -> Source<'_> {
    Source {
        text,
        tool: Some("Bash"),
        input: None,
    }
}
