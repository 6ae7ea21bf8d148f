//! How much memory compressing a block of 1 MiB takes, and its index after that: a counting allocator sees every byte.
#![expect(clippy::print_stdout, reason = "a test, which prints what it measures")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use headroom_shared::compress::{Earlier, Source, compress};

const MIB: usize = 1 << 20;

/// What a block of 1 MiB may take besides its own text.
const LIMIT: usize = 64 * MIB;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
#[expect(unsafe_code, reason = "an allocator cannot be written without")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test, so that no other allocates meanwhile. The default `realloc` takes new memory before it frees the old, so growth is
/// counted at its worst.
#[test]
fn a_block_of_one_mebibyte_stays_below_the_limit() {
    for unit in [
        "\n",
        "[[],[]],",
        "{}\n",
        "{\"a\":1,\"b\":[{\"c\":2},{\"c\":3}]}\n",
        "a/b.rs:1:x\na/b.rs-2-y\n",
        "     1→x\n",
        "ten bytes\n",
        "x",
    ] {
        check(unit, &unit.repeat(MIB / unit.len()));
    }
    check("one array", &format!("[{}1]", "1,".repeat(MIB / 2 - 2)));
    check(
        "many objects",
        &format!("[{}{{}}]", "{},".repeat(MIB / 3 - 2)),
    );
    let breaks = format!("{}x", "\n".repeat(MIB - 100));
    check(
        "line breaks in wrappers",
        &format!(
            "{}{breaks}{}",
            "<output>\n".repeat(4),
            "\n</output>".repeat(4)
        ),
    );
    check("different lines", &different_lines(1));
    check("different files", &different_lines(7));
    check("different words", &different_words());
    check("log lines of different kinds", &log_lines(1, "1 "));
    check("log lines of many kinds", &log_lines(2, "1 "));
    check("log lines of many fields", &log_lines(2, &"1 ".repeat(250)));
}

fn check(name: &str, text: &str) {
    let block = Source {
        text,
        tool: None,
        input: None,
    };
    let mut earlier = Earlier::default();
    let before = NOW.load(Relaxed);
    let pushing = peak_of(|| assert!(earlier.push(block)));
    let (held, counted) = (NOW.load(Relaxed) - before, earlier.memory());
    let compressing = peak_of(|| drop(compress(block, &earlier)));
    println!(
        "{name:?}: {pushing} bytes to push, {held} to keep, {compressing} to compress after itself"
    );
    assert!(
        held.abs_diff(counted) < held / 20,
        "{name:?}: {counted} bytes are counted, and {held} are held"
    );
    assert!(pushing.max(compressing) < LIMIT, "{name:?}");
}

fn peak_of(work: impl FnOnce()) -> usize {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    work();
    PEAK.load(Relaxed) - before
}

/// Lines of a few bytes, no two alike; `step` spreads them over that many files.
fn different_lines(step: usize) -> String {
    let mut text = String::new();
    for n in 0.. {
        let line = format!("{}/{n}.c:{n}:\n", n % step);
        if text.len() + line.len() > MIB {
            break;
        }
        text.push_str(&line);
    }
    text
}

/// Log lines that begin with these fields, so many of each kind.
fn log_lines(of_a_kind: usize, fields: &str) -> String {
    let mut text = String::new();
    for n in 0.. {
        let letter =
            |digit: u32| char::from(b'a' + u8::try_from(n / 26_usize.pow(digit) % 26).unwrap_or(0));
        let kind: String = (0..7).map(letter).collect();
        let time = if n % 15 == 0 { "00:00:01 \n" } else { "" };
        let lines = format!("{time}{}", format!("{fields}{kind}\n").repeat(of_a_kind));
        if text.len() + lines.len() > MIB {
            break;
        }
        text.push_str(&lines);
    }
    text
}

/// Lines with nothing in common, so that each of them may be referred to.
fn different_words() -> String {
    let mut text = String::new();
    let mut state = 1_u64;
    while text.len() < MIB {
        for _ in 0..4 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(&format!("{:x} ", state >> 32));
        }
        text.push('\n');
    }
    text.truncate(MIB);
    text
}
