//! What the proxy does to a request's bytes, on one core: `cargo bench -p headroom-proxy`.

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use headroom_proxy::hot_path;

mod bodies;
mod recorded;

/// Sizes of bodies, in bytes: a first request, a session's middle, a session's end.
const SIZES: [usize; 3] = [2_000, 200_000, 2_000_000];

/// Strings as they stand in bodies, each with what follows it: most that a scan reads are this short.
const SHORT: [&str; 5] = [
    r#"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_01AbCdEfGh""#,
    r#"tool_use_id":"toolu_01AbCdEfGhIjKlMnOpQrSt","content":"line one\nline two\nline""#,
    r#"toolu_01AbCdEfGhIjKlMnOpQrSt","type":"tool_result","content":"line one\nline two""#,
    r#"Let me look at that file.\n"},{"type":"tool_use","id":"toolu_01AbCdEfGhIjKlMnOp""#,
    r#"grep -rn \"fn main\" src"},"name":"Bash"},{"type":"tool_use","id":"toolu_01AbCdE""#,
];

fn main() {
    divan::main();
}

#[divan::bench(args = SHORT)]
fn string_end_short(bencher: Bencher<'_, '_>, text: &str) {
    bencher.bench(|| hot_path::string_end(black_box(text.as_bytes())));
}

#[divan::bench(args = [500, 6_000, 200_000])]
fn string_end_of_tool_output(bencher: Bencher<'_, '_>, bytes: usize) {
    let text = bodies::tool_output(bytes) + "\"}]}";
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| hot_path::string_end(black_box(text.as_bytes())));
}

#[divan::bench(args = [500, 6_000, 200_000])]
fn string_end_without_avx2(bencher: Bencher<'_, '_>, bytes: usize) {
    let text = bodies::tool_output(bytes) + "\"}]}";
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| hot_path::string_end_portable(black_box(text.as_bytes())));
}

#[divan::bench(args = SIZES)]
fn scan(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = bodies::anthropic(bytes);
    bencher
        .counter(BytesCount::of_str(&body))
        .bench(|| hot_path::scan(black_box(body.as_bytes()), 0));
}

#[divan::bench(args = SIZES)]
fn scan_and_splice(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = Bytes::from(bodies::anthropic(bytes));
    let form = Bytes::from_static(b"a form");
    bencher
        .counter(BytesCount::of_slice(&body))
        .bench(|| hot_path::scan_and_splice(black_box(&body), 0, &form));
}

/// The same where the conversation's last body was scanned before, as it is on every turn but a process's first.
#[divan::bench(args = SIZES)]
fn next_turn(bencher: Bencher<'_, '_>, bytes: usize) {
    let turns = hot_path::Turns::new();
    let body = bodies::anthropic(bytes);
    let next = Bytes::from(bodies::next_turn(&body));
    let body = Bytes::from(body);
    let form = Bytes::from_static(b"a form");
    bencher
        .counter(BytesCount::of_slice(&body))
        .with_inputs(|| turns.scan_and_splice(&body, 0, &form))
        .bench_values(|_| turns.scan_and_splice(black_box(&next), 0, &form));
}

/// The whole of recorded sessions, where recordings stand beside the checkout.
#[divan::bench(args = [("chkit-01", 0), ("entire-01", 0), ("sweagent-01-function-calling", 1), ("responses-01-sweagent", 2)])]
fn scan_of_a_session(bencher: Bencher<'_, '_>, (name, dialect): (&str, usize)) {
    let Some(body) = recorded::body(name, dialect) else {
        return;
    };
    bencher
        .counter(BytesCount::of_str(&body))
        .bench(|| hot_path::scan(black_box(body.as_bytes()), dialect));
}
