//! Tests of texts that have something around them.

use serde_json::json;

use super::generators::{as_jinja, as_python};
use super::{form_of, source};
use crate::compress::{Earlier, compress, expand, split_header};

const REMINDER: &str =
    "\n\n<system-reminder>\n<total_tokens>184230 tokens left</total_tokens>\n</system-reminder>";

fn rows(count: usize) -> String {
    let row =
        |n: usize| json!({"identifier": n, "name": format!("row {}", n * n), "state": "open"});
    let rows: Vec<_> = (0..count).map(row).collect();
    serde_json::to_string_pretty(&rows).unwrap()
}

#[test]
fn what_stands_around_a_text_stays_and_costs_no_savings() {
    let json = rows(60);
    let codex = "Chunk ID: 7f3a\nWall time: 0.01 seconds\nProcess exited with code 0\nOutput:\n";
    let bare = form_of(&json).unwrap();
    let (prose, code) = ("60 rows:\n", "\nexit code 0\n");
    let (open, close) = ("<returncode>0</returncode>\n<output>\n", "\n</output>");
    for (before, after) in [
        ("", REMINDER),
        (open, close),
        ("The rows:\n\n```json\n", "\n```\n"),
        (codex, ""),
        (codex, REMINDER),
        (prose, ""),
        ("", code),
        (codex, code),
        (prose, REMINDER),
    ] {
        let text = format!("{before}{json}{after}");
        let form = form_of(&text).unwrap();
        let (header, body) = split_header(&form).unwrap();
        assert_eq!(body, format!("{before}{bare}{after}"));
        assert!(header.len() < 100, "{header}");
        assert_eq!(expand(&form, &Earlier::default()).unwrap(), text);
    }
}

/// What programs make of an output: JSON that holds it as a string.
fn in_json(output: &str) -> Vec<String> {
    let of_codex = json!({"output": output, "metadata": {"exit_code": 0, "duration_seconds": 0.1}});
    let of_mini = json!({"returncode": 0, "output": output, "exception_info": ""});
    let of_shell = json!({"stdout": output, "stderr": "", "interrupted": false});
    let parts = json!([{"type": "text", "text": output}]);
    let of_mcp = json!({"content": [{"type": "text", "text": output}], "isError": false});
    let pretty = serde_json::to_string_pretty(&of_shell).unwrap();
    let plain = [of_codex, of_shell, parts, of_mcp].map(|it| it.to_string());
    let of_mini = of_mini.to_string();
    let escaped = [as_python(&of_mini), as_jinja(&of_mini)];
    let string = json!(output).to_string();
    plain
        .into_iter()
        .chain(escaped)
        .chain([pretty, string])
        .collect()
}

#[test]
fn an_output_in_a_json_string_is_compressed_as_it_is_read() {
    let output = rows(60).replace("open", "é's <open>");
    let bare = form_of(&output).unwrap();
    for text in in_json(&output) {
        let form = form_of(&text).unwrap();
        assert!(form.contains(&bare), "{form}");
        assert!(form.len() < bare.len() + 300, "{form}");
        assert_eq!(expand(&form, &Earlier::default()).unwrap(), text);
    }
}

#[test]
fn source_in_a_json_string_is_written_without_its_escapes() {
    let code = prose(40).replace('1', "\t'<1>'");
    for text in in_json(&code) {
        let form = form_of(&text).unwrap();
        assert!(form.contains(&code), "{form}");
        let header = form.lines().next().unwrap();
        assert!(header.contains(" of a JSON string, escaped"), "{header}");
        assert_eq!(expand(&form, &Earlier::default()).unwrap(), text);
    }
}

#[test]
fn several_strings_of_json_are_compressed_each() {
    let (head, tail) = (prose(80).replace('1', "'<1>'"), rows(60));
    let cut =
        json!({"returncode": 0, "output_head": head, "output_tail": tail, "warning": "Too long."});
    let text = under_codex(1, &as_jinja(&cut.to_string()));
    let form = form_of(&text).unwrap();
    assert!(form.contains(&head), "{form}");
    assert!(form.contains(&form_of(&tail).unwrap()), "{form}");
    assert_eq!(expand(&form, &Earlier::default()).unwrap(), text);
}

#[test]
fn texts_within_texts_are_compressed_three_deep() {
    let output = rows(60);
    let bare = form_of(&output).unwrap();
    let mut text = format!("Found:\n{output}");
    for depth in 1..=5 {
        text = json!({"stdout": text, "stderr": ""}).to_string();
        text = format!("Chunk ID: {depth}\nOutput:\n{text}{REMINDER}");
        let form = form_of(&text).unwrap();
        assert_eq!(expand(&form, &Earlier::default()).unwrap(), text);
        assert_eq!(form.contains(&bare), depth < 3, "{depth}: {form}");
    }
}

/// Words that make no two lines alike.
fn prose(lines: usize) -> String {
    let word = |n: usize| format!("{:x} \"{:x}\"", n * 7919 % 1009, n * n * 104_729 % 10_007);
    let line = |n: usize| format!("{} {} {}\n", word(3 * n), word(3 * n + 1), word(3 * n + 2));
    (0..lines).map(line).collect()
}

fn under_codex(n: usize, output: &str) -> String {
    format!(
        "Chunk ID: {n:06x}\nWall time: 0.{n} seconds\nProcess exited with code 0\nOriginal token count: 9{n}\nOutput:\n{output}"
    )
}

#[test]
fn an_output_is_known_again_whatever_is_around_it() {
    let output = prose(1400).trim_end().to_owned();
    assert!(output.len() > 40_000);
    let mut texts = in_json(&output);
    texts.extend([
        output.clone(),
        under_codex(2, &output),
        under_codex(3, &json!({ "output": output }).to_string()),
        format!("<returncode>0</returncode>\n<output>\n{output}\n</output>"),
        format!("{output}\nexit code 0"),
        format!("```\n{output}\n```"),
    ]);
    for (n, first) in texts.iter().enumerate() {
        let mut earlier = Earlier::default();
        earlier.push(source("something else"));
        earlier.push(source(first));
        let again = texts.iter().skip(n % 2).step_by(2);
        for text in again.chain([&under_codex(1, first)]) {
            let form = compress(source(text), &earlier).unwrap();
            assert!(form.len() < 700, "{form}");
            let named = ["2nd Bash ./report]", " of 2nd Bash ./report: \""];
            assert!(named.iter().any(|name| form.contains(name)), "{form}");
            assert_eq!(&expand(&form, &earlier).unwrap(), text);
        }
    }
}

#[test]
fn lines_in_a_json_string_are_referred_to_and_refer_to_others() {
    let file = prose(200);
    let part: Vec<&str> = file.lines().skip(49).take(100).collect();
    let part = format!("first\n{}\nlast\n", part.join("\n"));
    for (first, second) in [
        (in_json(&file), vec![part.clone()]),
        (vec![file.clone()], in_json(&part)),
        (in_json(&file), in_json(&part)),
        (vec![under_codex(1, &file)], in_json(&part)),
    ] {
        for (first, second) in first
            .iter()
            .flat_map(|f| second.iter().map(move |s| (f, s)))
        {
            let mut earlier = Earlier::default();
            earlier.push(source(first));
            let form = compress(source(second), &earlier).unwrap();
            let lines = if first.starts_with("Chunk") {
                "55-154"
            } else {
                "50-149"
            };
            assert!(
                form.contains(&format!("[lines {lines} of Bash ./report: ")),
                "{form}"
            );
            assert!(form.len() < 800, "{form}");
            assert_eq!(&expand(&form, &earlier).unwrap(), second);
        }
    }
}

#[test]
fn lines_of_a_numbered_file_are_named_by_their_numbers_behind_what_is_around_it() {
    let numbered = |from: usize, to: usize| {
        let file = prose(to);
        let lines = file.lines().enumerate().skip(from - 1);
        lines
            .map(|(n, line)| format!("{:6}\t{line}\n", n + 1))
            .collect::<String>()
    };
    let read = numbered(20, 320);
    for first in [
        under_codex(1, &read),
        format!("Here is the file:\n{read}"),
        json!({ "output": read }).to_string(),
    ] {
        let mut earlier = Earlier::default();
        earlier.push(source(&first));
        let second = under_codex(2, &numbered(60, 350));
        let form = compress(source(&second), &earlier).unwrap();
        assert!(form.contains("[lines 60-320 of Bash ./report: "), "{form}");
        assert_eq!(expand(&form, &earlier).unwrap(), second);
    }
}

#[test]
fn a_text_is_known_again_whatever_stands_around_it() {
    let json = rows(60);
    let in_string = json!({"exit_code": 0, "output": json}).to_string();
    let first = format!("{json}{REMINDER}");
    let again = format!("{json}{}", REMINDER.replace("184230", "170000"));
    let mut earlier = Earlier::default();
    earlier.push(source(&first));
    for text in [&json, &first, &again, &in_string] {
        let form = compress(source(text), &earlier).unwrap();
        assert!(form.contains("Bash ./report]"), "{form}");
        assert!(form.len() < 500);
        assert_eq!(&expand(&form, &earlier).unwrap(), text);
    }
}
