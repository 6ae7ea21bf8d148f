//! Requests that are hard to compress in time.

use bytes::Bytes;
use headroom_tests::conversation::{
    Conversation, Dialect, incompressible_source as source, listing,
};
use headroom_tests::http::Call;
use serde_json::{Value, json};

/// Digits that stand for the request's number.
const NUMBER: &str = "1000000001";

/// The largest block that is begun within a budget of 20 ms (`proxy/src/plan/history.rs`), and a little less.
const LARGEST: usize = 390_000;

/// A request, and where its number stands.
#[derive(Debug)]
pub(crate) struct Hard {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    number_at: usize,
}

/// Where a request differs from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Differs {
    /// In its first message: nothing is known of it.
    First,
    /// In its last message: it goes on from what is known.
    Last,
}

impl Hard {
    /// The request with this number.
    pub(crate) fn call(&mut self, number: u32) -> Call {
        let digits = format!("{number:010}");
        let place = self.number_at..self.number_at + digits.len();
        self.bytes[place].copy_from_slice(digits.as_bytes());
        Call::post(Dialect::Messages.path(), Bytes::from(self.bytes.clone()))
            .header("anthropic-version", "2023-06-01")
            .header("x-api-key", "test-key")
    }

    /// A request with these results of tools. Those before the last are old where the client marks what is to be cached.
    fn new(name: &'static str, differs: Differs, is_marked: bool, results: &[String]) -> Self {
        let mut session = Conversation::new(Dialect::Messages, "hard");
        session.marked = is_marked;
        session.streamed = false;
        let first = if differs == Differs::First {
            NUMBER
        } else {
            ""
        };
        session = session.user(&format!("Request {first}. Find out why."));
        for (turn, result) in results.iter().enumerate() {
            let is_last = turn + 1 == results.len();
            let path = match differs {
                Differs::Last if is_last => format!("/srv/{NUMBER}.rs"),
                _ => format!("/srv/{turn}.rs"),
            };
            session = session.tool("Read", &json!({"file_path": path}), result);
        }
        let bytes = session.body().bytes;
        let number_at = bytes
            .windows(NUMBER.len())
            .position(|window| window == NUMBER.as_bytes());
        Self {
            name,
            number_at: number_at.unwrap_or_default(),
            bytes,
        }
    }
}

/// All of them. The names say what is new, where they do not say that it is old.
pub(crate) fn all() -> Vec<Hard> {
    let (first, last) = (Differs::First, Differs::Last);
    let one = |name, kind: fn(usize) -> String, bytes| {
        Hard::new(name, first, false, &[escaped_to(bytes, kind)])
    };
    let with_old = |name, differs, mut old: Vec<String>| {
        old.push(source(7, 20_000));
        Hard::new(name, differs, true, &old)
    };
    let history = |blocks: usize| (0..blocks).map(|seed| source(100 + seed, 20_000)).collect();
    vec![
        with_old("old search results, 4.8 MB", first, vec![search(4_800_000)]),
        one("lines of a log, 390 kB", log, LARGEST),
        one("search results, 390 kB", search, LARGEST),
        one("source code, 390 kB", |bytes| source(1, bytes), LARGEST),
        one("numbered lines, 390 kB", |bytes| listing(1, bytes), LARGEST),
        one("JSON rows, 390 kB", rows, LARGEST),
        one("deep JSON, 390 kB", deep, LARGEST),
        one("one line, 390 kB", one_line, LARGEST),
        one("JSON rows, 5 MB", rows, 5_000_000),
        one("one line, 5 MB", one_line, 5_000_000),
        one("200,000 lines", |bytes| source(2, bytes), 8_800_000),
        Hard::new("small blocks, 16 MB", first, false, &small(16_000_000)),
        Hard::new("all of it, 16 MB", first, false, &everything(15_000_000)),
        with_old("old blocks, 2 MB", first, history(100)),
        with_old("old blocks, 2 MB, known", last, history(100)),
        with_old("old blocks, 15 MB", first, history(650)),
        with_old("old blocks, 15 MB, known", last, history(650)),
    ]
}

/// About as many bytes, where they are escaped.
fn escaped_to(bytes: usize, kind: fn(usize) -> String) -> String {
    let escaped = Value::from(kind(bytes)).to_string().len();
    kind(bytes * bytes / escaped)
}

fn one_line(bytes: usize) -> String {
    "x y ".repeat(bytes / 4)
}

fn log(bytes: usize) -> String {
    up_to(bytes, |n| {
        let (second, id) = (n % 60, n * 7919);
        format!("2026-11-28T10:15:{second:02}.000Z INFO served /api/v1/orders/{id} in {n} ms\n")
    })
}

fn search(bytes: usize) -> String {
    up_to(bytes, |n| {
        let file = n / 9;
        format!(
            "src/some/folder/part-{file}-of-it.rs-{n}-    let value_{n} = {};\n",
            n * 31
        )
    })
}

fn rows(bytes: usize) -> String {
    let row = |n: usize| json!({"id": n, "user": {"login": format!("u{n}"), "site": n % 7}, "tags": [{"name": "a"}, {"name": "b"}], "state": "open"});
    let rows: Vec<Value> = (0..bytes / 220).map(row).collect();
    serde_json::to_string_pretty(&rows).unwrap_or_default()
}

fn deep(bytes: usize) -> String {
    let one = format!("{}1{}", "{\"a\":[".repeat(60), "]}".repeat(60));
    let many = vec![one.as_str(); bytes / one.len()];
    format!("[{}]", many.join(","))
}

fn small(bytes: usize) -> Vec<String> {
    (0..bytes / 900).map(|seed| source(seed, 600)).collect()
}

fn everything(bytes: usize) -> Vec<String> {
    let kinds = [log, search, rows, deep, |bytes| source(bytes, bytes)];
    let sizes = [300_000, 100_000, 20_000, 2_000];
    let mut left = bytes;
    let mut results = Vec::new();
    for (kind, size) in kinds.iter().cycle().zip(sizes.iter().cycle()) {
        let text = kind(*size);
        left = left.saturating_sub(text.len() * 11 / 10);
        results.push(text);
        if left == 0 {
            break;
        }
    }
    results
}

fn up_to(bytes: usize, mut line: impl FnMut(usize) -> String) -> String {
    let mut text = String::with_capacity(bytes + 200);
    for n in 0.. {
        if text.len() >= bytes {
            break;
        }
        text.push_str(&line(n));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_as_large_as_they_say_and_no_larger_than_the_goal_is_for() {
        for hard in &mut all() {
            let bytes = hard.bytes.len();
            assert!(
                (300_000..=18_000_000).contains(&bytes),
                "{} has {bytes}",
                hard.name
            );
            hard.call(7);
            assert!(
                serde_json::from_slice::<Value>(&hard.bytes).is_ok(),
                "{}",
                hard.name
            );
        }
    }
}
