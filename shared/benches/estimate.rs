//! What estimating the tokens of a text takes, on one core: `cargo bench -p headroom-shared`.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use headroom_shared::compress::estimated_millitokens;

/// Bytes of a text: a command's output, a long file, the largest block.
const SIZES: [usize; 3] = [2_000, 60_000, 1_000_000];

/// Lines as tools print them: source, a log, JSON, a diff, text beyond ASCII.
const LINES: [&str; 5] = [
    "        let mut lines = Vec::with_capacity(text.len() / 40);\n",
    "2026-11-29T01:39:53.123Z INFO [worker-3] job 1b2c9f0e4d done in 183 ms\n",
    "{\"id\":1843,\"url\":\"https://api.example.com/repos/some/project/pulls/7\"}\n",
    "-    pub(super) fn len(&self) -> usize {\n+    pub(super) const fn len(&self) -> usize {\n",
    "│ 結果 ─── größer als erwartet → 12,5 % 😀 │\n",
];

fn main() {
    divan::main();
}

#[divan::bench(args = SIZES)]
fn estimate(bencher: Bencher<'_, '_>, bytes: usize) {
    let lines = LINES.iter().cycle().copied();
    let mut text = String::with_capacity(bytes + 100);
    for line in lines {
        text.push_str(line);
        if text.len() >= bytes {
            break;
        }
    }
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| estimated_millitokens(black_box(&text)));
}
