//! How fast the model of the providers' caches serves a request, on one core: `cargo bench -p headroom-proxy --bench prompt_cache`.

use std::sync::atomic::{AtomicUsize, Ordering};

use divan::{Bencher, black_box};
use headroom_proxy::simulation::prompt_cache::{CacheRequest, Format, Head, Life, PromptCache};
use serde_json::json;

/// Messages of a request, and the size of their texts: 600 kB.
const MESSAGES: usize = 200;
const TEXT_BYTES: usize = 3_000;

fn main() {
    divan::main();
}

/// A message that no other call makes.
fn message() -> Vec<u8> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let line = |at: usize| format!("    let value_{at} = compute_{number}({at}, &state);\n");
    let text: String = (0..TEXT_BYTES / 45).map(line).collect();
    let content = json!([{"type": "text", "text": text}]);
    json!({"role": "user", "content": content})
        .to_string()
        .into_bytes()
}

/// The last two messages are new, all others were served before.
#[divan::bench(args = ["claude-opus-4-6", "gpt-5.4", "gpt-5.6"])]
fn the_next_request_of_a_session(bencher: Bencher<'_, '_>, model: &str) {
    let format = if model.starts_with("claude") {
        Format::Messages
    } else {
        Format::Chat
    };
    let head = Head::assumed(1, 20_000, 30, Some(Life::Short)).marking_last(Life::Short);
    let session: Vec<Vec<u8>> = (0..MESSAGES).map(|_| message()).collect();
    let serve = |cache: &mut PromptCache, messages: &[&[u8]]| {
        let head = &head;
        cache.serve_request(&CacheRequest {
            format,
            model,
            head,
            messages,
        })
    };
    let mut cache = PromptCache::default();
    let messages: Vec<&[u8]> = session.iter().map(Vec::as_slice).collect();
    serve(&mut cache, &messages);
    bencher
        .with_inputs(|| [message(), message()])
        .bench_local_values(|new| {
            let mut messages = messages.clone();
            messages.truncate(MESSAGES - 2);
            messages.extend(new.iter().map(Vec::as_slice));
            black_box(serve(&mut cache, &messages))
        });
}
