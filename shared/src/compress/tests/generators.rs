//! Generators of texts for the property tests.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

/// Pieces that look like what the compressors look for, and like what they write.
const PIECES: [&str; 78] = [
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    " ",
    "    ",
    "é",
    "→",
    "×",
    "‹›",
    "[",
    "]",
    "\x1b[31m",
    "\x1b[0m",
    "\x1b[2K",
    "\x1b",
    "     1→",
    "     2→",
    "    10\t",
    "9:",
    "10:",
    "\n1:",
    "\n2:",
    "[line 3]",
    "[unnumbered]\n",
    "src/a-1-b.rs:1:",
    "\nsrc/a-1-b.rs-2-",
    "src/b.rs:",
    "\nC:\\x.rs:7:",
    "--\n",
    "diff --git a/x b/x\nindex 1234567..1234568 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
    "diff --git a/x b/x\nnew file mode 100644\nindex 0000000..1234568\n--- /dev/null\n+++ b/x\n@@ -0,0 +1,2 @@\n+b\n+c\n",
    "\n@@ -4,2 +4 @@ f\n-a\n b\n",
    "\n@@ -9,0 +9 @@\n+a\n",
    "\n@@ +4\n",
    "\ndiff ",
    "x 1234567..1234568\n",
    "\n-",
    "\n+",
    "\\ No newline at end of file\n",
    "/r/src/a-1-b.rs-4-",
    "# ",
    "\n= ",
    "[×2] ",
    "\n[×3] a‹›b\n",
    "[lines 1-2 of text: ",
    "[headroom: ",
    "[headroom: terminal colours removed]\n",
    "the same line again\n",
    "the same line once\n",
    "GET /index.html 200\n",
    "GET /other.html 404\n",
    "{\"a\": 1.0}\n",
    "[]",
    "table{\"a\"}[[1]\n[2]]",
    "{\"output\":\"",
    "\\n",
    "\"}",
    "<note>",
    "\n</note>\n",
    "Output:\n",
    "2024-01-01 10:00:01,123 INFO x took 1.5 ms\n",
    "2024-01-01 10:00:01,124 INFO x took 12 ms\n",
    "[01/Jan/2024:10:00:02 +0000] (1) (2) (3) (4) (5) (6) (7) (8) (9)\n",
    "[01/Jan/2024:10:00:03 +0000] (1) (0) (9) (9) (9) (9) (9) (9) (8)\n",
    "\n1700000000.123456 ",
    "\n# 10:00:01 ",
    "\n\" ",
    "\nA ",
    "\nA 2=",
    "\n‹A› ",
    "‹",
    "›",
    "§",
    " /srv/work/app/src/",
    "https://a.example/some/project/",
    "\"",
    ",",
];

fn piece() -> impl Strategy<Value = String> {
    let fixed = select(&PIECES[..]);
    prop_oneof![
        8 => fixed.prop_map(ToOwned::to_owned),
        1 => "[a-z .:/-]{0,12}",
        1 => "\\PC{0,6}",
    ]
}

pub(super) fn text() -> impl Strategy<Value = String> {
    let repeated = (prop::collection::vec(piece(), 1..8), 1..12_usize)
        .prop_map(|(pieces, times)| pieces.concat().repeat(times));
    prop::collection::vec(repeated, 0..6).prop_map(|parts| parts.concat())
}

pub(super) fn numbered_text() -> impl Strategy<Value = String> {
    let separator = select(vec!["→", "\t", ":", " |", "|"]);
    let lines = prop::collection::vec((0..3_u64, text_line()), 1..30);
    (0..8_usize, separator, 0..1_100_u64, lines).prop_map(|(width, separator, first, lines)| {
        let mut number = first;
        let numbered = lines.into_iter().map(|(step, line)| {
            number += step;
            format!("{number:width$}{separator}{line}\n")
        });
        numbered.collect()
    })
}

fn text_line() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[ -~]{0,30}", piece()]
}

pub(super) fn scalar() -> impl Strategy<Value = String> {
    let fixed = select(vec![
        "null",
        "true",
        "1.0",
        "1e5",
        "-0",
        "1E+2",
        "0.10",
        "1234567890123456789012345678901234567890",
        r#""\u00e9""#,
        r#""\ud83d\ude00""#,
        r#""\ud83d""#,
        r#""\/""#,
        r#""\"""#,
        r#"" é\n""#,
        r#""table{""#,
        r#""""#,
    ]);
    prop_oneof![fixed.prop_map(ToOwned::to_owned), "[0-9]|[1-9][0-9]{1,5}"]
}

fn space() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", " ", "\n", "\r\n  ", "\t"])
}

/// JSON whose objects often have like keys, and sometimes lack or repeat one.
fn json() -> impl Strategy<Value = String> {
    let key = select(vec![
        r#""a""#,
        r#""some longer key""#,
        r#""\u0061""#,
        r#""c""#,
    ]);
    scalar().prop_recursive(5, 200, 8, move |value| {
        let list = prop::collection::vec((space(), value.clone()), 0..8).prop_map(|items| {
            let items: Vec<String> = items
                .into_iter()
                .map(|(s, v)| format!("{s}{v}{s}"))
                .collect();
            format!("[{}]", items.join(","))
        });
        let member =
            (key.clone(), space(), value.clone()).prop_map(|(k, s, v)| format!("{s}{k}{s}:{s}{v}"));
        let object = prop::collection::vec(member, 0..5)
            .prop_map(|members| format!("{{{}}}", members.join(",")));
        let keys = [r#""first key""#, r#""second key""#, r#""third key""#];
        let row =
            prop::collection::vec(prop::option::weighted(0.8, value), 3).prop_map(move |values| {
                let members = keys
                    .iter()
                    .zip(values)
                    .filter_map(|(k, v)| Some(format!("{k}: {}", v?)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            });
        let rows =
            prop::collection::vec(row, 2..8).prop_map(|rows| format!("[{}]", rows.join(",\n")));
        prop_oneof![list, object, rows]
    })
}

pub(in crate::compress) fn json_text() -> impl Strategy<Value = String> {
    let pretty = |text: String| match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap(),
        Err(_) => text,
    };
    let document = prop_oneof![2 => json(), 1 => json().prop_map(pretty), 1 => text()];
    prop::collection::vec((document, space()), 1..4)
        .prop_map(|parts| parts.into_iter().map(|(d, s)| format!("{d}{s}")).collect())
}

/// A text within one to four others, as clients and programs put them around outputs.
pub(super) fn wrapped_text() -> impl Strategy<Value = String> {
    let inner = prop_oneof![text(), numbered_text(), json_text()];
    let wraps = prop::collection::vec((0..WRAPS.len(), any::<bool>()), 1..5);
    (inner, wraps).prop_map(|(inner, wraps)| {
        let wrap = |text: String, (which, more): (usize, bool)| {
            let text = WRAPS[which](&text);
            if more { format!("{text}\n") } else { text }
        };
        wraps.into_iter().fold(inner, wrap)
    })
}

const WRAPS: [fn(&str) -> String; 14] = [
    |text| {
        as_jinja(&json!({"output_head": text, "elided_chars": 9, "output_tail": text}).to_string())
    },
    |text| format!("Chunk ID: 1f\nWall time: 0.1 seconds\nOutput:\n{text}"),
    |text| format!("Exit code 1\n{text}"),
    |text| format!("{text}\n(Open file: /a)\n(Current directory: /b)\nbash-$"),
    |text| format!("{text}\n[exit code: 0]"),
    |text| format!("{text}\n\n<system-reminder>\nx\n</system-reminder>"),
    |text| format!("<returncode>0</returncode>\n<output>\n{text}\n</output>"),
    |text| format!("Found:\n```\n{text}\n```"),
    |text| format!("2 rows\n{text}"),
    |text| json!({"output": text, "metadata": {"exit_code": 0}}).to_string(),
    |text| serde_json::to_string_pretty(&json!({"stdout": text, "stderr": ""})).unwrap(),
    |text| json!([{"type": "text", "text": text}]).to_string(),
    |text| as_python(&json!({ "output": text }).to_string()),
    |text| as_jinja(&json!(text).to_string()),
];

/// JSON as Python writes it: in ASCII.
pub(super) fn as_python(json: &str) -> String {
    let escape = |c: char| match c {
        ' '..='~' => c.to_string(),
        _ => escape_units(c),
    };
    json.chars().map(escape).collect()
}

/// JSON as Jinja's `tojson` writes it, within strings.
pub(super) fn as_jinja(json: &str) -> String {
    let escape = |c: char| match c {
        '<' | '>' | '&' | '\'' => escape_units(c),
        _ => c.to_string(),
    };
    as_python(json).chars().map(escape).collect()
}

fn escape_units(c: char) -> String {
    let units = c.encode_utf16(&mut [0; 2]).to_vec();
    units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
}
