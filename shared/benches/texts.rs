//! Made-up outputs of tools, by kind.

use std::fmt::Write;

/// The kinds of outputs.
pub(crate) const KINDS: [&str; 8] = [
    "source", "read", "search", "log", "json", "tests", "diff", "listing",
];

/// Words that names are made of.
const WORDS: [&str; 16] = [
    "index", "request", "cache", "token", "prefix", "worker", "queue", "header", "buffer", "state",
    "record", "window", "session", "limit", "span", "entry",
];

/// An output of this kind with at least so many bytes.
pub(crate) fn text(kind: &str, bytes: usize) -> String {
    let mut names = Names(1);
    let mut text = String::with_capacity(bytes + 256);
    if kind == "json" {
        text.push('[');
    }
    for number in 1.. {
        write_record(&mut text, kind, number, &mut names);
        if text.len() >= bytes {
            break;
        }
    }
    if kind == "json" {
        text.pop();
        text.push(']');
    }
    text
}

fn write_record(text: &mut String, kind: &str, number: u64, names: &mut Names) {
    let [a, b, c] = [(); 3].map(|()| names.name());
    let n = names.next();
    // Writing to a `String` cannot fail.
    let _ = match kind {
        "source" => writeln!(text, "        let {a} = self.{b}({c}, {n})?;"),
        "read" => writeln!(text, "{number:6}→        let {a} = self.{b}({c}, {n})?;"),
        "search" => writeln!(
            text,
            "src/{}/{}.rs:{number}:    pub fn {a}(&self, {b}: usize) -> {c} {{",
            WORDS[number as usize / 40 % 16],
            WORDS[number as usize / 8 % 16]
        ),
        "log" => writeln!(
            text,
            "2026-11-29T01:{:02}:{:02}.{:03}Z INFO {a}: {b} {n} done in {} ms",
            number / 60 % 60,
            number % 60,
            n % 1000,
            n % 97
        ),
        "json" => write!(
            text,
            "{{\"id\":{number},\"name\":\"{a}\",\"url\":\"https://api.example.com/{b}/{n}\",\"open\":{}}},",
            n.is_multiple_of(2)
        ),
        "tests" => writeln!(
            text,
            "test {}::{a}::{b}_{c} ... ok",
            WORDS[number as usize / 16 % 16]
        ),
        "diff" if number % 20 == 1 => writeln!(
            text,
            "diff --git a/src/{a}.rs b/src/{a}.rs\nindex 393eb4f..180c4f7 100644\n--- a/src/{a}.rs\n+++ b/src/{a}.rs\n@@ -{n},19 +{n},19 @@ fn {b}() {{"
        ),
        "diff" => writeln!(text, "     let {a} = {b}.{c}({n});"),
        _ => writeln!(
            text,
            "-rw-r--r-- 1 dev dev {n:8} Nov 29 01:39 {a}/{b}/{c}.rs"
        ),
    };
}

/// Names from a fixed sequence of numbers.
struct Names(u64);

impl Names {
    /// Knuth's linear congruential generator (MMIX).
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % 100_000
    }

    fn name(&mut self) -> String {
        let [a, b] = [(); 2].map(|()| WORDS[self.next() as usize % WORDS.len()]);
        format!("{a}_{b}")
    }
}
