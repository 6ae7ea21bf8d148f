use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::select;

use super::testing::round_trip;
use super::*;

fn source(text: &str) -> Source<'_> {
    Source {
        text,
        tool: Some("Read"),
        input: Some(r#"{"file_path":"/srv/app/main.rs"}"#),
    }
}

fn form_of(text: &str) -> Option<String> {
    compress(source(text), &Earlier::default()).ok()
}

fn output_of<'a>(command: &'a str, text: &'a str) -> Source<'a> {
    Source {
        text,
        tool: Some("Bash"),
        input: Some(command),
    }
}

fn numbered_file(lines: usize) -> String {
    let line = |n| format!("{n:6}\u{2192}    let value_{n} = compute({n}); // keeps it\n");
    (1..=lines).map(line).collect()
}

#[test]
fn small_texts_and_texts_with_our_header_get_no_form() {
    assert_eq!(form_of(""), None);
    assert_eq!(form_of("[ 1 ]"), None);
    let long = "the same line again\n".repeat(50);
    assert!(form_of(&long).is_some());
    assert_eq!(form_of(&format!("{OPENING}x]\n{long}")), None);
}

#[test]
fn headers_stack_and_come_off_again() {
    let line = |n: usize| format!("\x1b[1m{n}\x1b[0m lines of a log that repeats\n");
    let text: String = (0..20).map(line).collect();
    let form = compress(
        output_of(r#"{"command":"cargo test"}"#, &text),
        &Earlier::default(),
    )
    .unwrap();
    let mut lines = form.lines();
    assert!(lines.next().unwrap().contains("[×N]"));
    assert_eq!(lines.next(), Some("[headroom: terminal colours removed]"));
    assert!(same(&text, &expand(&form, &Earlier::default()).unwrap()));
}

#[test]
fn colours_stay_where_a_file_may_have_been_printed() {
    let line = |n: usize| {
        format!(
            "\x1b[3{}m{:x}\x1b[0m {}\n",
            n % 8,
            n * n * 7919,
            n * n * 104_729
        )
    };
    let text: String = (0..50).map(line).collect();
    let form = |input| compress(output_of(input, &text), &Earlier::default());
    let made = form(r#"{"command":"cargo test"}"#).unwrap();
    assert!(!made.contains('\x1b'), "{made}");
    for input in [r#"{"command":"cat log"}"#, r#"{"file_path":"log"}"#] {
        let kept = form(input).is_err_and(|why| why == NoForm::NoGain);
        assert!(kept, "{input}");
    }
}

const REMINDER: &str =
    "\n\n<system-reminder>\n<total_tokens>184230 tokens left</total_tokens>\n</system-reminder>";

fn rows(count: usize) -> String {
    let row = |n: usize| serde_json::json!({"identifier": n, "name": format!("row {}", n * n), "state": "open"});
    let rows: Vec<_> = (0..count).map(row).collect();
    serde_json::to_string_pretty(&rows).unwrap()
}

#[test]
fn what_stands_around_a_text_stays_and_costs_no_savings() {
    let json = rows(60);
    let codex = "Chunk ID: 7f3a\nWall time: 0.01 seconds\nProcess exited with code 0\nOutput:\n";
    let bare = form_of(&json).unwrap();
    for (before, after) in [("", REMINDER), (codex, ""), (codex, REMINDER)] {
        let text = format!("{before}{json}{after}");
        let form = form_of(&text).unwrap();
        let (header, body) = split_header(&form).unwrap();
        assert_eq!(body, format!("{before}{bare}{after}"));
        assert!(header.len() < 100, "{header}");
        assert_eq!(expand(&form, &Earlier::default()).unwrap(), text);
    }
}

#[test]
fn an_output_in_a_json_string_is_compressed_as_it_is_read() {
    let output = rows(60);
    let text = format!(
        "{}",
        serde_json::json!({"chunk_id": "81162b", "exit_code": 0, "output": output})
    );
    let form = form_of(&text).unwrap();
    assert!(form.contains(&form_of(&output).unwrap()), "{form}");
    assert_eq!(expand(&form, &Earlier::default()).unwrap(), text);
}

#[test]
fn a_text_is_known_again_whatever_stands_around_it() {
    let json = rows(60);
    let in_string = serde_json::json!({"exit_code": 0, "output": json}).to_string();
    let first = format!("{json}{REMINDER}");
    let again = format!("{json}{}", REMINDER.replace("184230", "170000"));
    let mut earlier = Earlier::default();
    earlier.push(source(&first));
    for text in [&json, &first, &again, &in_string] {
        let form = compress(source(text), &earlier).unwrap();
        assert!(form.contains("as block #1 of this conversation"), "{form}");
        assert!(form.len() < 500);
        assert_eq!(&expand(&form, &earlier).unwrap(), text);
    }
}

#[test]
fn why_there_is_no_form_is_told() {
    let why = |text: &str| compress(source(text), &Earlier::default());
    assert_eq!(why("short"), Err(NoForm::NoGain));
    let words: String = (0..200).map(|n| format!("word{} ", n * n)).collect();
    assert_eq!(why(&words), Err(NoForm::NoGain));
    let little = format!(
        "{words}{}",
        "\nthe very same line again, and again".repeat(6)
    );
    assert_eq!(why(&little), Err(NoForm::BelowFloor));
}

#[test]
fn unpadded_line_numbers_are_worth_taking_off() {
    let line = |n: usize| {
        format!(
            "{n}\t    let value_{n} = compute_the_next_one({n}, &settings, &mut state); // keeps it\n"
        )
    };
    let text: String = (1..=120).map(line).collect();
    let form = form_of(&text).unwrap();
    assert!(
        form.starts_with("[headroom: line numbers removed (\"1\t\")"),
        "{form}"
    );
    assert_eq!(expand(&form, &Earlier::default()).unwrap(), text);
}

#[test]
fn what_is_no_form_is_an_error() {
    let earlier = Earlier::default();
    for text in ["", "text", "[headroom: x", "[headroom: x\ny"] {
        assert!(
            matches!(expand(text, &earlier), Err(ExpandError::NotAForm)),
            "{text:?}"
        );
    }
    for text in [
        "[headroom: unheard of]\nx",
        "[headroom: the same text, word for word, as block #1 of this conversation: x]\n",
        "[headroom: line numbers removed (\"x\"); the next line is line 1]\n",
    ] {
        assert!(
            matches!(expand(text, &earlier), Err(ExpandError::Broken(_))),
            "{text:?}"
        );
    }
}

#[test]
fn lines_read_before_are_referred_to_by_file_and_number() {
    let file = numbered_file(200);
    let mut earlier = Earlier::default();
    earlier.push(source("something else"));
    earlier.push(source(&file));
    let lines: Vec<&str> = file.lines().collect();
    let again = format!(
        "{}\n   151→changed\n{}",
        lines[99..150].join("\n"),
        lines[151..].join("\n")
    );
    let form = compress(source(&again), &earlier).unwrap();
    assert!(
        form.contains(
            "\n[lines 100-150 of #2 again; Read /srv/app/main.rs; from \"let value_100 = "
        ),
        "{form}"
    );
    assert!(
        form.contains("]\nchanged\n[lines 152-200 of #2 again;"),
        "{form}"
    );
    assert_eq!(expand(&form, &earlier).unwrap(), again);
    assert!(expand(&form, &Earlier::default()).is_err());
}

#[test]
fn a_reference_leads_to_where_the_lines_stand_word_for_word() {
    let file = numbered_file(100);
    let lines: Vec<&str> = file.lines().collect();
    let (first, second) = (lines[..60].join("\n"), lines[30..].join("\n"));
    let mut earlier = Earlier::default();
    earlier.push(source(&first));
    earlier.push(source(&second));
    let form = compress(source(&lines[20..90].join("\n")), &earlier).unwrap();
    assert!(form.contains("[lines 21-60 of #1 "), "{form}");
    assert!(form.contains("[lines 61-90 of #2 "), "{form}");
}

#[test]
fn only_numbered_lines_of_a_numbered_file_are_referred_to() {
    let note =
        "\n<note>\nWhat the client says of every file, at some length.\nAnd that twice.\n</note>\n"
            .repeat(3);
    let read = |from: usize| {
        let lines: String = numbered_file(from + 40)
            .split_inclusive('\n')
            .skip(from)
            .collect();
        format!("{lines}{note}")
    };
    let (first, second) = (read(0), read(30));
    let mut earlier = Earlier::default();
    earlier.push(source(&first));
    let form = compress(source(&second), &earlier).unwrap();
    assert!(form.contains("\n[lines 31-40 of #1 again;"), "{form}");
    assert!(form.ends_with(&note), "{form}");
}

#[test]
fn lines_that_a_table_or_group_holds_are_not_referred_to() {
    let json =
        "{\n  \"some key of it\": \"some value of it\",\n  \"another key\": 2\n}\n".repeat(9);
    let found: String = (1..60)
        .map(|n| format!("src/some/folder/file.rs:{n}:the text of it\n"))
        .collect();
    for text in [json, found] {
        let mut earlier = Earlier::default();
        earlier.push(source(&text));
        let form = compress(source(&format!("first\n{text}last")), &earlier);
        assert!(!form.is_ok_and(|form| form.contains(" again; ")));
        assert!(
            compress(source(&text), &earlier)
                .unwrap()
                .contains("block #1")
        );
    }
}

/// Eight times the text may take 32 times the time, where a quadratic compressor would take 64 times. Other processes disturb
/// the clock, so the best of several tries counts.
#[test]
fn time_is_linear() {
    for (name, unit) in nasty_units() {
        let small = (0..5).map(|_| time(&unit, 16 << 10)).min().unwrap();
        let bound = small * 32 + Duration::from_millis(20);
        let mut tries = (0..10).map(|_| time(&unit, 128 << 10));
        assert!(
            tries.any(|large| large < bound),
            "{name}: {small:?} for 16 KiB, and for 128 KiB never less than {bound:?}"
        );
    }
}

fn time(unit: &str, bytes: usize) -> Duration {
    let text = unit.repeat(bytes / unit.len());
    let started = Instant::now();
    let mut earlier = Earlier::default();
    earlier.push(source(&text));
    let _ = compress(source(&text[1..]), &earlier);
    started.elapsed()
}

fn nasty_units() -> Vec<(&'static str, String)> {
    let name = |(name, unit): (&'static str, &str)| (name, unit.to_owned());
    [
        ("line breaks", "\n"),
        ("open brackets", "["),
        ("braces", "{}\n"),
        ("rows", "{\"a\":1,\"b\":[{\"c\":2},{\"c\":3}]}\n"),
        ("escapes", "\x1b[1mx\x1b[0m\x1b["),
        ("dashes", "a-1-"),
        ("results", "a/b.rs:1:x\na/b.rs-2-y\n"),
        ("numbers", "     1→x\n"),
        (
            "alike",
            "some words that stand 1\nsome words that stay 2\n\n",
        ),
        ("one line", "x"),
    ]
    .into_iter()
    .map(name)
    .collect()
}

/// Pieces that look like what the compressors look for, and like what they write.
fn piece() -> impl Strategy<Value = String> {
    let fixed = select(vec![
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
        "/r/src/a-1-b.rs-4-",
        "# ",
        "\n= ",
        "[×2] ",
        "\n[×3] a‹›b\n",
        "[lines 1-2 of #1 ",
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
        "\"",
        ",",
    ]);
    prop_oneof![
        8 => fixed.prop_map(ToOwned::to_owned),
        1 => "[a-z .:/-]{0,12}",
        1 => "\\PC{0,6}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    let repeated = (prop::collection::vec(piece(), 1..8), 1..12_usize)
        .prop_map(|(pieces, times)| pieces.concat().repeat(times));
    prop::collection::vec(repeated, 0..6).prop_map(|parts| parts.concat())
}

fn numbered_text() -> impl Strategy<Value = String> {
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

fn scalar() -> impl Strategy<Value = String> {
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

pub(super) fn json_text() -> impl Strategy<Value = String> {
    let pretty = |text: String| match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap(),
        Err(_) => text,
    };
    let document = prop_oneof![2 => json(), 1 => json().prop_map(pretty), 1 => text()];
    prop::collection::vec((document, space()), 1..4)
        .prop_map(|parts| parts.into_iter().map(|(d, s)| format!("{d}{s}")).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_compressor_comes_back(text in prop_oneof![text(), numbered_text(), json_text()]) {
        for compressor in COMPRESSORS {
            round_trip(compressor, &text);
        }
    }

    #[test]
    fn forms_expand_to_the_same(before in prop_oneof![text(), numbered_text(), json_text()], after in text(), cut in 0..400_usize) {
        let mut earlier = Earlier::default();
        earlier.push(source(&after));
        earlier.push(source(&before));
        let cut = (cut..=before.len()).find(|at| before.is_char_boundary(*at)).unwrap_or(0);
        for text in [before.clone(), format!("{after}{}{after}", &before[cut..]), format!("{}\n{after}", &before[..cut])] {
            let form = compress(source(&text), &earlier);
            let mut again = Earlier::default();
            again.push(source(&after));
            again.push(source(&before));
            prop_assert_eq!(&form, &compress(source(&text), &again));
            if let Ok(form) = form {
                prop_assert!(size::escaped_len(&form) < size::escaped_len(&text));
                prop_assert_eq!(&text, &expand(&form, &earlier).unwrap());
            }
            for plan in PLANS.iter().filter(|_| !text.contains(OPENING)) {
                if let Some(form) = apply(plan, &text, &earlier) {
                    let expanded = expand(&form, &earlier).unwrap();
                    prop_assert!(same(&text, &expanded), "{text:?} {form:?} {expanded:?}");
                }
            }
            for compressor in COMPRESSORS {
                if let Some(form) = compressor.compress(&text, &earlier) {
                    let (header, body) = split_header(&form).unwrap();
                    let expanded = compressor.expand(header, body, &earlier).unwrap();
                    prop_assert!(same(&text, &expanded), "{text:?} {form:?} {expanded:?}");
                }
            }
        }
    }

    #[test]
    fn expanding_anything_never_panics(text in text()) {
        let mut earlier = Earlier::default();
        earlier.push(source(&text));
        let _ = expand(&text, &earlier);
        for compressor in COMPRESSORS {
            if let Some(form) = compressor.compress(&text, &Earlier::default()) {
                let (header, _) = split_header(&form).unwrap();
                let _ = expand(&with_header(header, &text), &earlier);
            }
        }
    }
}
