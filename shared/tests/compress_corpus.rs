//! What the compressors save on recorded tool outputs and sessions, and that nothing is lost on any of them.
//!
//! The corpus is no part of the repository: `scripts/test` runs these tests where it is.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "tests, which print what they measure"
)]

mod recorded;

use std::collections::{BTreeMap, HashMap};

use headroom_shared::compress::{Earlier, Source, compress, expand, gives_back};
use recorded::{files, json_lines, name};
use serde_json::{Value, json};

#[derive(Default)]
struct Row {
    items: usize,
    forms: usize,
    bytes_in: usize,
    bytes_out: usize,
}

impl Row {
    /// Compresses a block, checks that nothing is lost, and counts.
    fn add(&mut self, block: Source<'_>, earlier: &Earlier) {
        self.items += 1;
        self.bytes_in += block.text.len();
        let Ok(form) = compress(block, earlier) else {
            self.bytes_out += block.text.len();
            return;
        };
        let expanded = expand(&form, earlier).expect("a form expands");
        // Nothing but colours may be missing.
        let is_same = expanded == block.text
            || block.text.contains('\x1b') && gives_back(&form, block, earlier);
        assert!(is_same, "lost something of {:?}", block.text);
        self.forms += 1;
        self.bytes_out += form.len();
    }
}

#[test]
#[ignore = "needs the recorded outputs beside the checkout: scripts/test runs it where they are"]
fn recorded_tool_outputs_lose_nothing() {
    let files = files("tool_outputs");
    let mut table = BTreeMap::new();
    for file in files {
        let row: &mut Row = table.entry(name(&file)).or_default();
        for line in json_lines(&file) {
            let input = line["input"].to_string();
            let block = Source {
                text: line["text"].as_str().unwrap(),
                tool: line["tool"].as_str(),
                input: Some(&input),
            };
            row.add(block, &Earlier::default());
        }
    }
    print("tool outputs, each by itself", &table);
}

#[test]
#[ignore = "needs the recorded outputs beside the checkout: scripts/test runs it where they are"]
fn recorded_sessions_lose_nothing() {
    let files = files("sessions");
    let (mut alone, mut within) = (BTreeMap::new(), BTreeMap::new());
    for file in files {
        let blocks = tool_results(&json_lines(&file));
        let alone: &mut Row = alone.entry(name(&file)).or_default();
        let within: &mut Row = within.entry(name(&file)).or_default();
        let mut earlier = Earlier::default();
        for (call, text) in &blocks {
            let block = Source {
                text,
                tool: call.as_ref().map(|(tool, _)| tool.as_str()),
                input: call.as_ref().map(|(_, input)| input.as_str()),
            };
            alone.add(block, &Earlier::default());
            within.add(block, &earlier);
            earlier.push(block);
        }
    }
    print("sessions, each block by itself", &alone);
    print("sessions, with what stands earlier", &within);
}

/// What clients put around an output: for the output's number and text, the whole.
type Wrap = fn(usize, &str) -> String;

const WRAPS: [(&str, Wrap); 6] = [
    ("Codex's lines", |n, text| {
        format!(
            "Chunk ID: {n:06x}\nWall time: 0.{n} seconds\nProcess exited with code 0\nOriginal token count: {n}\nOutput:\n{text}"
        )
    }),
    ("mini-swe-agent's tags", |_, text| {
        format!("<returncode>0</returncode>\n<output>\n{text}\n</output>")
    }),
    ("code block", |_, text| {
        format!("The output:\n\n```\n{text}\n```\n")
    }),
    ("JSON with the output", |n, text| {
        json!({"output": text, "metadata": {"exit_code": 0, "duration_seconds": n}}).to_string()
    }),
    ("mini-swe-agent's JSON", |_, text| in_mini_json(text)),
    ("three deep", |n, text| {
        let array = json!([{"type": "text", "text": text}]).to_string();
        let output = json!({"stdout": array, "stderr": ""}).to_string();
        format!("Exit code: 0\nWall time: {n} seconds\nOutput:\n{output}")
    }),
];

/// What mini-swe-agent makes of an output: JSON as Jinja writes it, with both ends of one that is too long.
fn in_mini_json(output: &str) -> String {
    let chars: Vec<char> = output.chars().collect();
    let json = if chars.len() < 10_000 {
        json!({"returncode": 0, "output": output})
    } else {
        let (head, tail) = (&chars[..5000], &chars[chars.len() - 5000..]);
        let part = |chars: &[char]| chars.iter().collect::<String>();
        json!({"returncode": 0, "output_head": part(head), "output_tail": part(tail), "warning": "Output too long."})
    };
    let escape = |c: char| match c {
        '<' | '>' | '&' | '\'' | '\x7f'.. => {
            let units = c.encode_utf16(&mut [0; 2]).to_vec();
            units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
        }
        _ => c.to_string(),
    };
    json.to_string().chars().map(escape).collect()
}

#[test]
#[ignore = "needs the recorded outputs beside the checkout: scripts/test runs it where they are"]
fn recorded_outputs_lose_nothing_whatever_is_around_them() {
    let (mut alone, mut within) = (BTreeMap::new(), BTreeMap::new());
    for file in files("tool_outputs") {
        for (n, line) in json_lines(&file).iter().enumerate() {
            let input = line["input"].to_string();
            for (name, wrap) in WRAPS {
                let block = Source {
                    text: &wrap(n, line["text"].as_str().unwrap()),
                    tool: line["tool"].as_str(),
                    input: Some(&input),
                };
                let row: &mut Row = alone.entry(name.to_owned()).or_default();
                row.add(block, &Earlier::default());
            }
        }
    }
    for file in files("sessions") {
        let blocks = tool_results(&json_lines(&file));
        for (name, wrap) in WRAPS {
            let row: &mut Row = within.entry(name.to_owned()).or_default();
            let mut earlier = Earlier::default();
            for (n, (call, text)) in blocks.iter().enumerate() {
                let block = Source {
                    text: &wrap(n, text),
                    tool: call.as_ref().map(|(tool, _)| tool.as_str()),
                    input: call.as_ref().map(|(_, input)| input.as_str()),
                };
                row.add(block, &earlier);
                earlier.push(block);
            }
        }
    }
    print(
        "tool outputs, each by itself, by what is around them",
        &alone,
    );
    print(
        "sessions, with what stands earlier, by what is around the outputs",
        &within,
    );
}

type Call = (String, String);

/// The texts of a session's tool results, with the calls they answer. What a compaction removed is left in: the session before
/// and after it are one long prefix here.
fn tool_results(lines: &[Value]) -> Vec<(Option<Call>, String)> {
    let mut calls: HashMap<String, Call> = HashMap::new();
    let mut results = Vec::new();
    for message in lines.iter().filter(|line| line["k"] == "msg") {
        for item in parts(&message["m"]) {
            match item["type"].as_str() {
                Some("tool_use") => {
                    let call = (text_of(&item["name"]), item["input"].to_string());
                    calls.insert(text_of(&item["id"]), call);
                }
                Some("function_call") => {
                    let call = (text_of(&item["name"]), text_of(&item["arguments"]));
                    calls.insert(text_of(&item["call_id"]), call);
                }
                Some("tool_result") => {
                    let call = calls.get(&text_of(&item["tool_use_id"])).cloned();
                    results.extend(texts(&item["content"]).map(|text| (call.clone(), text)));
                }
                Some("function_call_output") => {
                    let call = calls.get(&text_of(&item["call_id"])).cloned();
                    results.extend(texts(&item["output"]).map(|text| (call.clone(), text)));
                }
                _ if item["role"] == "tool" || item["role"] == "user" => {
                    results.extend(texts(&item["content"]).map(|text| (None, text)));
                }
                _ => {}
            }
        }
    }
    results
}

/// The blocks of a message, or the message itself where its content is a string.
fn parts(message: &Value) -> Vec<&Value> {
    match message["content"].as_array() {
        Some(parts) => parts.iter().collect(),
        None => vec![message],
    }
}

fn texts(content: &Value) -> impl Iterator<Item = String> {
    let own = content.as_str().map(ToOwned::to_owned);
    let parts = content.as_array().into_iter().flatten();
    own.into_iter()
        .chain(parts.filter_map(|part| Some(part["text"].as_str()?.to_owned())))
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn print(title: &str, table: &BTreeMap<String, Row>) {
    println!(
        "\n{title}\n{:32} {:>6} {:>6} {:>9} {:>9} {:>6}",
        "", "items", "forms", "bytes in", "out", "saved"
    );
    let mut all = Row::default();
    for (name, row) in table {
        print_row(name, row);
        all.items += row.items;
        all.forms += row.forms;
        all.bytes_in += row.bytes_in;
        all.bytes_out += row.bytes_out;
    }
    print_row("all", &all);
}

fn print_row(name: &str, row: &Row) {
    let Row {
        items,
        forms,
        bytes_in,
        bytes_out,
    } = row;
    let saved = 100 * (bytes_in - bytes_out) / bytes_in.max(&1);
    println!("{name:32} {items:>6} {forms:>6} {bytes_in:>9} {bytes_out:>9} {saved:>4} %");
}
